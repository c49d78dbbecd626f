// SPDX-License-Identifier: Apache-2.0

package oneline

import (
	"strings"
	"testing"
)

func TestWhatIsNotPrintedIsASpace(t *testing.T) {
	for text, want := range map[string]string{
		"errors 5 % → 0 %, für ada":   "errors 5 % → 0 %, für ada",
		"a\x1b[31m\n\tb\x7f":          "a [31m  b ",
		"a\u009b2Jb\u0085c":           "a 2Jb c",
		"a\u202eb\u2066c\u2069\ufeff": "a b c  ",
		"a\xffb":                      "a\uFFFDb",
	} {
		if got := Of(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestWhatIsTooLongIsCut(t *testing.T) {
	for text, want := range map[string]string{
		"12345":                            "12345",
		"123456":                           "1234…",
		"für ada":                          "für …",
		"→→→→→":                            "→→→→→",
		"\U0001F600" + "1234":              "\U0001F6001234",
		strings.Repeat("\U0001F600", 6):    strings.Repeat("\U0001F600", 4) + "…",
		strings.Repeat("\U0001F600", 1000): strings.Repeat("\U0001F600", 4) + "…",
	} {
		if got := Cut(text, 5); got != want {
			t.Errorf("%.40q is %q, want %q", text, got, want)
		}
	}
}
