// SPDX-License-Identifier: Apache-2.0

// Package budgetprocessor
package budgetprocessor
