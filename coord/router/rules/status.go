// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"errors"
	"strconv"
	"strings"
)

// Statuses is a range of HTTP statuses, both ends in it.
type Statuses struct{ From, To int }

var errStatuses = errors.New("a status such as 503, a class such as 5xx or a range such as 500-504")

// UnmarshalText reads 503, 5xx or 500-504.
func (s *Statuses) UnmarshalText(text []byte) error {
	t := string(text)
	if class, ok := strings.CutSuffix(t, "xx"); ok {
		n, err := strconv.Atoi(class)
		if err != nil || n < 1 || n > 9 {
			return errStatuses
		}
		*s = Statuses{100 * n, 100*n + 99}
		return nil
	}
	from, to, isRange := strings.Cut(t, "-")
	if !isRange {
		to = from
	}
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	if errA != nil || errB != nil || !(Statuses{a, b}).valid() {
		return errStatuses
	}
	*s = Statuses{a, b}
	return nil
}

// String returns the form that a document has.
func (s Statuses) String() string {
	switch {
	case s.From == s.To:
		return strconv.Itoa(s.From)
	case s.From%100 == 0 && s.To == s.From+99:
		return strconv.Itoa(s.From/100) + "xx"
	}
	return strconv.Itoa(s.From) + "-" + strconv.Itoa(s.To)
}

func (s Statuses) valid() bool { return 100 <= s.From && s.From <= s.To && s.To <= 999 }
