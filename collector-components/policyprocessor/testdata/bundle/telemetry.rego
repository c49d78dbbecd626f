# SPDX-License-Identifier: Apache-2.0

package otelplat.telemetry

drop contains "noise" if input.item.attributes.noise
