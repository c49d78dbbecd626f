// SPDX-License-Identifier: Apache-2.0

// Package policy holds the shop's Rego bundle, which `otelplat up` pushes to etcd
// as "shop".
package policy

import "embed"

// Files are the bundle's files.
//
//go:embed *.rego
var Files embed.FS
