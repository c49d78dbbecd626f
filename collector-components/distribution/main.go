// SPDX-License-Identifier: Apache-2.0

// Command distribution is the otelplat collector as a static binary:
//
//	go build -o otelplat-collector ./collector-components/distribution
//	otelplat-collector                             # the default configuration and OTELPLAT_* variables
//	otelplat-collector --config file:collector.yaml
//	otelplat-collector validate --config file:collector.yaml
//	otelplat-collector --print-config              # the default configuration, to start one's own from
//	otelplat-collector components                  # what it is made of
//
// With a configuration that was given, the default one is not read. The builder
// makes the same binary from manifest.yaml, for those who want other components
// beside these.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/otelplat/platform/collector-components/components"
	"go.opentelemetry.io/collector/otelcol"
)

// Version is set by the linker.
var Version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		os.Exit(1) // otelcol's command has printed it
	}
}

func run(ctx context.Context, args []string) error {
	if slices.Contains(args, "--print-config") {
		_, err := fmt.Print(components.DefaultConfig())
		return err
	}
	set := components.Settings(components.Options{Version: Version})
	set.DisableGracefulShutdown = true // the context ends with the signals
	command := otelcol.NewCommand(set)
	command.SetArgs(args)
	return command.ExecuteContext(ctx)
}
