// SPDX-License-Identifier: Apache-2.0

package registry

import "testing"

func TestTheEmbeddedRegistryReads(t *testing.T) {
	d, err := Read(&Document{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d attributes, %d spans, %d metrics, %d events", len(d.Attributes), len(d.Spans), len(d.Metrics), len(d.Events))
}
