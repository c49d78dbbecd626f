// SPDX-License-Identifier: Apache-2.0

// Command distribution is the otelplat collector as a static binary:
//
//	go build -o otelplat-collector ./collector-components/distribution
//	otelplat-collector                             # the default configuration and OTELPLAT_* variables
//	otelplat-collector --config file:collector.yaml
//	otelplat-collector --config etcd:edge          # written with `otelplat config put edge`, followed
//	otelplat-collector validate --config file:collector.yaml
//	otelplat-collector --print-config              # the default configuration, to start one's own from
//	otelplat-collector components                  # what it is made of
//
// With a configuration that was given, the default one is not read. The builder
// makes a collector of the same components from manifest.yaml, for those who want
// others beside them; its main is upstream's.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// Version is set by the linker.
var Version = ""

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	command := newCommand(version())
	err := command.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "otelplat-collector: %v\n", err)
		os.Exit(1)
	}
}

// version returns the linker's, else that of the module, else "dev".
func version() string {
	if Version != "" {
		return Version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
