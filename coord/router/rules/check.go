// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otelplat/platform/coord"
	"google.golang.org/grpc/codes"
)

// checker keeps the first that is refused.
type checker struct{ err *Error }

func (c *checker) refuse(field, value, want string) {
	if c.err == nil {
		c.err = &Error{Field: field, Value: value, Want: want}
	}
}

func (c *checker) number(field string, v, least, most float64) {
	if !(least <= v && v <= most) { // a NaN too
		c.refuse(field, strconv.FormatFloat(v, 'g', -1, 64), fmt.Sprintf("%g to %g", least, most))
	}
}

// ratio is more than 0: at 0 whatever it decides would always be so.
func (c *checker) ratio(field string, v float64) {
	if !(0 < v && v <= 1) {
		c.refuse(field, strconv.FormatFloat(v, 'g', -1, 64), "more than 0 and at most 1")
	}
}

func (c *checker) count(field string, v, least, most int) {
	if v < least || v > most {
		c.refuse(field, strconv.Itoa(v), fmt.Sprintf("%d to %d", least, most))
	}
}

func (c *checker) duration(field string, v, least, most time.Duration) {
	if v < least || v > most {
		c.refuse(field, v.String(), fmt.Sprintf("%v to %v", least, most))
	}
}

func (c *checker) entries(field string, n, most int) {
	if n > most {
		c.refuse(field, strconv.Itoa(n)+" entries", fmt.Sprintf("at most %d", most))
	}
}

func (c *checker) text(field, v string) {
	if v == "" || len(v) > maxText {
		c.refuse(field, strconv.Itoa(len(v))+" bytes", fmt.Sprintf("1 to %d", maxText))
	}
}

func (c *checker) mode(field string, m Mode) {
	if m != Off && m != Observe && m != Act {
		c.refuse(field, shown(string(m)), "off, observe or act")
	}
}

// name is one that is part of keys and of telemetry.
func (c *checker) name(field, v string) {
	if coord.CheckName(field, v) != nil {
		c.refuse(field, shown(v), fmt.Sprintf("1 to %d letters, digits, dots, underscores and hyphens, a letter or digit first", coord.MaxNameLength))
	}
}

// token is the name of a header, a cookie or a method.
func (c *checker) token(field, v string) {
	ok := v != "" && len(v) <= maxText
	for i := range len(v) {
		b := v[i]
		ok = ok && (b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || strings.IndexByte("!#$%&'*+-.^_`|~", b) >= 0)
	}
	if !ok {
		c.refuse(field, shown(v), "a token of RFC 9110")
	}
}

// method is one of HTTP: names are case-sensitive, and all that are registered are
// capitals.
func (c *checker) method(field, v string) {
	c.token(field, v)
	if v != strings.ToUpper(v) {
		c.refuse(field, shown(v), "a method in capitals")
	}
}

// grpc is one method of a service, or all.
func (c *checker) grpc(field, v string) {
	service, _, ok := strings.Cut(strings.TrimPrefix(v, "/"), "/")
	if !ok || !strings.HasPrefix(v, "/") || service == "" || strings.Count(v, "/") != 2 || len(v) > maxText {
		c.refuse(field, shown(v), "/service/method, or /service/ for all of its methods")
	}
}

// check returns the first field beyond its limits.
func (d *Document) check() *Error {
	c := &checker{}
	c.service(&d.Service)
	c.settings("", &d.Settings, &d.Failure)
	c.entries("variants", len(d.Variants), maxVariants)
	for _, name := range slices.Sorted(maps.Keys(d.Variants)) {
		c.variant("variants."+name, name, d.Variants[name])
	}
	c.entries("routes", len(d.Routes), maxRoutes)
	if c.err != nil {
		return c.err
	}
	names := make(map[string]int, len(d.Routes))
	cookie := ""
	for i := range d.Routes {
		r := &d.Routes[i]
		at := fmt.Sprintf("routes[%d]", i)
		c.route(at, r, d)
		if first, twice := names[r.Name]; twice {
			c.refuse(at+".name", shown(r.Name), fmt.Sprintf("another name than routes[%d] has", first))
		}
		names[r.Name] = i
		switch {
		case r.Sticky.Cookie == "":
		case cookie == "":
			cookie = r.Sticky.Cookie
		case cookie != r.Sticky.Cookie:
			// One drawn value places a caller in all routes, each with a hash of its own.
			c.refuse(at+".sticky.cookie", shown(r.Sticky.Cookie), fmt.Sprintf("%q: the routes of a document share one cookie", cookie))
		}
	}
	return c.err
}

func (c *checker) service(s *Service) {
	c.name("policy.name", s.Policy.Name)
	c.number("policy.probes", s.Policy.Probes, 0, 16)
	c.number("policy.probes_per_second", s.Policy.ProbesPerSecond, 0, 10_000)
	c.key("policy.hash", s.Policy.Hash)
	if s.Policy.Name == ConsistentHash && s.Policy.Hash.empty() {
		c.refuse("policy.hash", "empty", "what the policy consistent_hash hashes")
	}
	c.number("policy.load_factor", s.Policy.LoadFactor, 1.01, 100)
	c.count("subset.min", s.Subset.Min, 1, 10_000)
	c.duration("slow_start", s.SlowStart, 0, maxTimeout)
	c.number("panic", s.Panic, 0, 1)

	e := &s.Ejection
	c.mode("ejection.mode", e.Mode)
	c.duration("ejection.base", e.Base, 100*time.Millisecond, 300*time.Second)
	c.number("ejection.share", e.Share, 0, 1)
	c.count("ejection.consecutive", e.Consecutive, 1, 1000)
	c.ratio("ejection.ratio", e.Ratio)
	c.count("ejection.requests", e.Requests, 1, 100_000)
	c.number("ejection.success_rate_stdev", e.SuccessRateStdev, 0, 100)
	if e.LatencyFactor != 0 { // 1 would be every second instance
		c.number("ejection.latency_factor", e.LatencyFactor, 1.5, 1000)
	}

	f := &s.Failure
	c.entries("failure.http", len(f.HTTP), maxList)
	for i, r := range f.HTTP {
		if !r.valid() {
			c.refuse(fmt.Sprintf("failure.http[%d]", i), r.String(), errStatuses.Error())
		}
	}
	c.entries("failure.grpc", len(f.GRPC), maxList)
	for i, code := range f.GRPC {
		if code == codes.OK || code == codes.Canceled || code > codes.Unauthenticated {
			c.refuse(fmt.Sprintf("failure.grpc[%d]", i), code.String(), "a code that is not OK or CANCELLED")
		}
	}
	if f.Header != "" {
		c.token("failure.header", f.Header)
	}
	c.entries("failure.classes", len(f.Classes), maxList)
	for i, class := range f.Classes {
		at := fmt.Sprintf("failure.classes[%d]", i)
		c.text(at, class)
		if slices.Contains(causes, class) {
			c.refuse(at, shown(class), "another name: it has a meaning in retry.on")
		}
	}
	if len(f.Classes) > 0 && f.Header == "" {
		c.refuse("failure.header", "empty", "the header that names the classes")
	}
}

var causes = []string{Refused, Unavailable, Timeout, Failed}

func (c *checker) settings(at string, s *Settings, f *Failure) {
	in := func(field string) string { return within(at, field) }
	c.duration(in("timeout"), s.Timeout, 0, maxTimeout)
	r := &s.Retry
	c.count(in("retry.attempts"), r.Attempts, 1, 5)
	c.duration(in("retry.per_try_timeout"), r.PerTryTimeout, 0, maxTimeout)
	if s.Timeout > 0 && r.PerTryTimeout > s.Timeout {
		c.refuse(in("retry.per_try_timeout"), r.PerTryTimeout.String(), fmt.Sprintf("at most the timeout, %v", s.Timeout))
	}
	c.number(in("retry.budget"), r.Budget, 0, 1)
	c.count(in("retry.min"), r.Min, 0, 10_000)
	c.entries(in("retry.on"), len(r.On), maxList)
	for i, cause := range r.On {
		if !slices.Contains(causes, cause) && !slices.Contains(f.Classes, cause) {
			c.refuse(in(fmt.Sprintf("retry.on[%d]", i)), shown(cause), strings.Join(causes, ", ")+" or one of failure.classes")
		}
	}
	c.entries(in("retry.methods"), len(r.Methods), maxList)
	for i, m := range r.Methods {
		field := in(fmt.Sprintf("retry.methods[%d]", i))
		if strings.HasPrefix(m, "/") {
			c.grpc(field, m)
		} else {
			c.method(field, m)
		}
	}
	if !(0 < s.Hedge.After && s.Hedge.After < 1) {
		c.refuse(in("hedge.after"), strconv.FormatFloat(s.Hedge.After, 'g', -1, 64), "a quantile, more than 0 and less than 1")
	}
	c.count(in("hedge.max"), s.Hedge.Max, 0, 3)
	c.mode(in("breaker.mode"), s.Breaker.Mode)
	c.ratio(in("breaker.ratio"), s.Breaker.Ratio)
	c.count(in("breaker.requests"), s.Breaker.Requests, 1, 100_000)
}

func (c *checker) variant(at, name string, v Variant) {
	c.name(at, name)
	c.entries(at+".labels", len(v.Labels), maxLabels)
	for _, label := range slices.Sorted(maps.Keys(v.Labels)) {
		c.text(at+".labels", label)
		c.text(at+".labels."+label, v.Labels[label])
	}
	if v.Version == "" && len(v.Labels) == 0 {
		c.refuse(at, "empty", "a version or labels")
	}
	if len(v.Version) > maxText {
		c.text(at+".version", v.Version)
	}
}

func (c *checker) route(at string, r *Route, d *Document) {
	c.name(at+".name", r.Name)
	c.match(at+".match", &r.Match)
	c.number(at+".percent", r.Percent, 0, 100)
	c.entries(at+".split", len(r.Split), maxArms)
	if c.err != nil {
		return
	}
	total := 0.0
	for i, a := range r.Split {
		arm := fmt.Sprintf("%s.split[%d]", at, i)
		if _, ok := d.Variants[a.Variant]; !ok {
			c.refuse(arm+".variant", shown(a.Variant), "one of variants")
		}
		if slices.ContainsFunc(r.Split[:i], func(b Arm) bool { return a.Variant == b.Variant }) {
			c.refuse(arm+".variant", shown(a.Variant), "each variant once")
		}
		c.number(arm+".weight", a.Weight, 0, maxWeight)
		total += a.Weight
	}
	if len(r.Split) > 0 && total <= 0 {
		c.refuse(at+".split", "of no weight", "an arm with a weight of more than 0")
	}
	c.key(at+".sticky", r.Sticky)
	c.settings(at, &r.Settings, &d.Failure)
	if r.Retry.Budget != d.Retry.Budget {
		c.refuse(at+".retry.budget", strconv.FormatFloat(r.Retry.Budget, 'g', -1, 64), "that of the service: its routes share one")
	}
	if r.Retry.Min != d.Retry.Min {
		c.refuse(at+".retry.min", strconv.Itoa(r.Retry.Min), "that of the service: its routes share one budget")
	}
}

func (c *checker) match(at string, m *Match) {
	n := len(m.Headers) + len(m.Cookies) + len(m.Claims) + len(m.Caller)
	for _, set := range []bool{len(m.Methods) > 0, m.Path != Text{}, m.GRPC != ""} {
		if set {
			n++
		}
	}
	c.entries(at, n, maxMatchers)
	c.entries(at+".methods", len(m.Methods), maxList)
	for i, method := range m.Methods {
		c.method(fmt.Sprintf("%s.methods[%d]", at, i), method)
	}
	if m.GRPC != "" {
		c.grpc(at+".grpc", m.GRPC)
		if len(m.Methods) > 0 || m.Path != (Text{}) {
			c.refuse(at+".grpc", shown(m.GRPC), "no methods and path beside it: no request has both")
		}
	}
	if m.Path != (Text{}) {
		c.pattern(at+".path", m.Path)
		if given := m.Path.Exact + m.Path.Prefix; !strings.HasPrefix(given, "/") {
			c.refuse(at+".path", shown(given), "exact or prefix, beginning with /")
		}
	}
	for _, named := range []struct {
		field string
		of    map[string]Text
		check func(field, name string)
	}{{"headers", m.Headers, c.token}, {"cookies", m.Cookies, c.token}, {"claims", m.Claims, c.text}} {
		for _, name := range slices.Sorted(maps.Keys(named.of)) {
			field := at + "." + named.field
			named.check(field, name)
			c.pattern(field+"."+name, named.of[name])
		}
	}
	lower := make(map[string]bool, len(m.Headers))
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if lower[strings.ToLower(name)] {
			c.refuse(at+".headers."+name, "given twice", "each header once, in any case")
		}
		lower[strings.ToLower(name)] = true
	}
	for _, label := range slices.Sorted(maps.Keys(m.Caller)) {
		c.text(at+".caller", label)
		c.text(at+".caller."+label, m.Caller[label])
	}
}

func (c *checker) pattern(at string, t Text) {
	set := 0
	for _, is := range []bool{t.Exact != "", t.Prefix != "", t.Present, t.Absent} {
		if is {
			set++
		}
	}
	if set != 1 {
		c.refuse(at, fmt.Sprintf("%d of them", set), "one of exact, prefix, present: true, absent: true")
	}
	if len(t.Exact)+len(t.Prefix) > maxText {
		c.text(at, t.Exact+t.Prefix)
	}
}

func (c *checker) key(at string, k Key) {
	set := 0
	for _, is := range []bool{k.Header != "", k.Cookie != "", k.Claim != "", k.Path} {
		if is {
			set++
		}
	}
	if set > 1 {
		c.refuse(at, fmt.Sprintf("%d of them", set), "one of header, cookie, claim, path")
	}
	if k.Header != "" {
		c.token(at+".header", k.Header)
	}
	if k.Cookie != "" {
		c.token(at+".cookie", k.Cookie)
	}
	if len(k.Claim) > maxText {
		c.text(at+".claim", k.Claim)
	}
}
