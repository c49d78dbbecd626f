// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/otelplat/platform/policy"
)

func TestInstancesWithOneSourceShareOneEngine(t *testing.T) {
	opened := 0
	p := pool{open: func(source) (*policy.Engine, io.Closer, error) {
		opened++
		engine, err := policy.Open(context.Background(), policy.Static("b", rules("x := 1")))
		return engine, nothing{}, err
	}}
	a, giveA, err := p.take(source{bundle: "b", directory: "d"})
	if err != nil {
		t.Fatal(err)
	}
	b, giveB, _ := p.take(source{bundle: "b", directory: "d"})
	c, giveC, _ := p.take(source{bundle: "b", directory: "other"})
	if a != b || a == c || opened != 2 {
		t.Errorf("%d engines opened, expected one for each of two sources", opened)
	}
	giveA()
	giveA() // giving back twice is once
	if b.Updates(t.Context()); len(p.used) != 2 {
		t.Error("the engine should stay while somebody uses it")
	}
	giveB()
	giveC()
	if len(p.used) != 0 {
		t.Error("the last user should take the engine along")
	}
}

func TestASourceThatDoesNotOpenIsNotKept(t *testing.T) {
	failed := errors.New("no")
	p := pool{open: func(source) (*policy.Engine, io.Closer, error) { return nil, nil, failed }}
	if _, _, err := p.take(source{}); !errors.Is(err, failed) || len(p.used) != 0 {
		t.Errorf("error is %v with %d engines, expected the source's and none", err, len(p.used))
	}
}
