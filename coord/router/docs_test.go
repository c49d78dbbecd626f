// SPDX-License-Identifier: Apache-2.0

package router_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/otelplat/platform/coord/router/rules"
)

func TestTheDocumentsInTheDocsAreGood(t *testing.T) {
	page, err := os.ReadFile("../../docs/routing.md")
	if err != nil {
		t.Fatal(err)
	}
	documents := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(documents) == 0 {
		t.Fatal("docs/routing.md shows no document")
	}
	for _, d := range documents {
		doc, err := rules.Parse(d[1])
		if err != nil {
			t.Errorf("%v in\n%s", err, d[1])
			continue
		}
		if _, err := doc.Compile(); err != nil {
			t.Errorf("%v in\n%s", err, d[1])
		}
	}
}
