// SPDX-License-Identifier: Apache-2.0

package configsrc_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/otelplat/platform/configsrc"
)

func TestDiffIsOfFieldsAndNotOfText(t *testing.T) {
	got, err := configsrc.Diff([]byte(`
timeout: 1s
listen: {address: ":80", tls: true}
tags: [a, b]
gone: 1
`), []byte(`{"tags": ["a", "b"], "listen": {"tls": false, "address": ":80"}, "timeout": "1s", "new": {}}`))
	want := []configsrc.Difference{
		{Field: "gone", Before: "1"}, {Field: "listen.tls", Before: "true", After: "false"}, {Field: "new", After: "{}"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := configsrc.Diff(nil, nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func TestWhatCannotBeADocumentIsSaidWithoutItsValues(t *testing.T) {
	for text, want := range map[string]string{
		"secret":             "top must be a mapping",
		"a: secret\n\tb: 2":  "line 2",
		"- secret":           "top must be a mapping",
		"a: b: secret":       "is not YAML",
		"a: !!binary secret": "",
	} {
		err := configsrc.Check([]byte(text))
		if err == nil && want == "" {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
		if _, err := configsrc.Diff(nil, []byte(text)); err == nil || !strings.Contains(err.Error(), "after") {
			t.Errorf("Diff of %q: %v", text, err)
		}
	}
}
