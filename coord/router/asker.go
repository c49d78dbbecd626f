// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"

	"github.com/otelplat/platform/internal/loadreport"
	"google.golang.org/grpc"
	"google.golang.org/grpc/balancer"
)

// asker asks the instance at the end of one connection for its load: by that connection,
// whose RPCs no interceptor sees.
type asker struct{ cc grpc.ClientConnInterface }

// askerBuilder makes one for each connection.
type askerBuilder struct{}

// Build implements [balancer.ProducerBuilder].
func (askerBuilder) Build(cc any) (balancer.Producer, func()) {
	return &asker{cc.(grpc.ClientConnInterface)}, func() {}
}

// ask asks once.
func (c *conn) ask(ctx context.Context) (loadreport.Report, error) {
	return loadreport.AskGRPC(ctx, c.asker.cc)
}
