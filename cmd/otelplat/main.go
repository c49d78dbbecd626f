// SPDX-License-Identifier: Apache-2.0

// Command otelplat runs and operates the platform. `otelplat help` lists what it
// can do.
package main

import (
	"os"

	"github.com/otelplat/platform/cmd/otelplat/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }
