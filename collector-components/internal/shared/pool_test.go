// SPDX-License-Identifier: Apache-2.0

package shared_test

import (
	"errors"
	"testing"

	"github.com/otelplat/platform/collector-components/internal/shared"
)

type thing struct{ closed int }

func (t *thing) Close() error { t.closed++; return nil }

func TestUsersOfOneKeyShareAValueUntilTheLastGaveItBack(t *testing.T) {
	var p shared.Pool[*thing]
	opened := 0
	open := func() (*thing, error) { opened++; return &thing{}, nil }
	a, giveA, err := p.Take("x", open)
	if err != nil {
		t.Fatal(err)
	}
	b, giveB, _ := p.Take("x", open)
	c, giveC, _ := p.Take("y", open)
	if a != b || a == c || opened != 2 {
		t.Errorf("%d values opened, expected one for each of two keys", opened)
	}
	giveA()
	giveA() // counts once
	if b.closed != 0 || p.Len() != 2 {
		t.Error("the value should stay while somebody uses it")
	}
	giveB()
	giveC()
	if b.closed != 1 || c.closed != 1 || p.Len() != 0 {
		t.Errorf("closed %d and %d times, %d left: expected once each and none", b.closed, c.closed, p.Len())
	}
}

func TestAValueThatDoesNotOpenIsNotKept(t *testing.T) {
	var p shared.Pool[*thing]
	failed := errors.New("no")
	if _, _, err := p.Take("x", func() (*thing, error) { return nil, failed }); !errors.Is(err, failed) || p.Len() != 0 {
		t.Errorf("error is %v with %d values, expected the opener's and none", err, p.Len())
	}
}
