// SPDX-License-Identifier: Apache-2.0

package election_test

import (
	"context"
	"fmt"

	"github.com/otelplat/platform/coord/election"
)

func Example() {
	place := election.NewMemory() // or election.Open(client, candidate)
	elector, err := place.Elector(election.Candidate{ID: "billing-1", Address: "10.0.0.7:8080"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = elector.Close() }()
	err = election.Run(context.Background(), elector, "billing", func(ctx context.Context) error {
		leader, err := elector.Leader(ctx, "billing")
		fmt.Println(leader.ID, "leads at", leader.Address)
		return err
	})
	fmt.Println(err)
	// Output:
	// billing-1 leads at 10.0.0.7:8080
	// <nil>
}
