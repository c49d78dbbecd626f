// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/spf13/cobra"
)

// natsReady bounds the start of NATS: it reads its data first.
const natsReady = 50 * time.Second

// natsChild is a single NATS server with JetStream on loopback, which syncs each
// write: an acknowledged event survives a power cut.
func natsChild() *cobra.Command {
	var dir string
	var port int
	c := &cobra.Command{Use: "nats", Args: cobra.NoArgs, RunE: attached(func(ctx context.Context, _ *cobra.Command, _ []string) error {
		opts := &server.Options{
			ServerName: "otelplat-up", Host: "127.0.0.1", Port: port, NoSigs: true,
			JetStream: true, StoreDir: dir, SyncAlways: true, JetStreamMaxMemory: 64 << 20, JetStreamMaxStore: 4 << 30,
			MaxConn: 1024, WriteDeadline: 10 * time.Second,
		}
		s, err := server.NewServer(opts)
		if err != nil {
			return fmt.Errorf("nats: %w", err)
		}
		s.ConfigureLogger()
		s.Start()
		defer func() {
			s.Shutdown()
			s.WaitForShutdown()
		}()
		if !s.ReadyForConnections(natsReady) {
			return fmt.Errorf("nats: not ready within %v", natsReady)
		}
		<-ctx.Done()
		return nil
	})}
	c.Flags().StringVar(&dir, "dir", "", "data")
	c.Flags().IntVar(&port, "port", 0, "client port")
	return c
}
