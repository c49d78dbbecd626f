// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/recording"
	"github.com/otelplat/platform/coord/coordtest"
	"github.com/otelplat/platform/coord/signal"
)

// limited is a file that ends a recording once it holds what a test waits for.
type limited struct {
	bytes.Buffer
	enough func() bool
	stop   func()
}

func (l *limited) Write(b []byte) (int, error) {
	n, err := l.Buffer.Write(b)
	if l.enough() {
		l.stop()
	}
	return n, err
}

func TestARecordingHoldsWhatIsThereAndWhatChanges(t *testing.T) {
	client := coordtest.Client(t, coordtest.Etcd(t))
	put := func(service string, failures uint64) {
		share := &signal.Share{Service: service, Collector: "c", Shards: 1, Instances: []signal.Instance{{ID: "o1", Evidence: signal.Evidence{
			Seconds: 1, Requests: 20, Failures: failures, Callers: []signal.Caller{{Hash: 1, Requests: 20, Failures: failures}},
		}}}}
		if _, err := client.Etcd().Put(t.Context(), client.Prefix()+signal.Key(service, 0, 1, "c"), string(signal.Encode(share))); err != nil {
			t.Fatal(err)
		}
	}
	put("orders", 0)
	put("other", 20)
	var file limited
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	changed := false
	file.stop, file.enough = stop, func() bool {
		if !changed { // the header, or what there was
			changed = strings.Contains(file.String(), "signal/orders")
			if changed {
				put("orders", 20)
			}
			return false
		}
		return strings.Count(file.String(), "signal/orders") == 2
	}
	var says bytes.Buffer
	r := recorder{service: "orders", length: time.Minute, limit: 1 << 20, progress: &says}
	if err := r.record(ctx, client, &file); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(says.String(), "recorded 2 changes") || strings.Contains(file.String(), "signal/other") {
		t.Errorf("%s: %s", says.String(), file.String())
	}
	turns, err := recording.Replay(recording.Read(&file.Buffer), recording.Thresholds{Thresholds: signal.DefaultThresholds(), Base: time.Second})
	if err != nil || len(turns) != 1 || turns[0].Instance != "o1" || turns[0].State != "bad" {
		t.Errorf("%v %+v", err, turns)
	}
}

func TestARecordingEndsAtItsSize(t *testing.T) {
	client := coordtest.Client(t, coordtest.Etcd(t))
	if _, err := client.Etcd().Put(t.Context(), client.Prefix()+signal.Key("orders", 0, 1, "c"), strings.Repeat("x", 1000)); err != nil {
		t.Fatal(err)
	}
	var file, says bytes.Buffer
	r := recorder{length: time.Hour, limit: 500, progress: &says}
	if err := r.record(t.Context(), client, &file); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(says.String(), "it ended at --max-size") || file.Len() > 600 {
		t.Errorf("%q, %d bytes", says.String(), file.Len())
	}
}
