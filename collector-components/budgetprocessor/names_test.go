// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"strings"
	"testing"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

func named(name string) pcommon.Resource {
	r := pcommon.NewResource()
	r.Attributes().PutStr("service.name", name)
	return r
}

func TestNoServiceEscapesTheBudgetOfItsTenantByItsName(t *testing.T) {
	cfg := defaultConfig()
	cfg.MaxServices = 2
	l := newLedger(cfg)
	if a := l.account("acme", named(strings.Repeat("x", 1000))); a.tenant != "acme" || a.service != otherService {
		t.Errorf("a service with a name of 1000 bytes is %q of %q", a.service, a.tenant)
	}
	l.account("acme", named("orders"))
	if a := l.account("acme", named("beyond")); a.tenant != "acme" || a.service != otherService {
		t.Errorf("a service beyond the bound is %q of %q", a.service, a.tenant)
	}
	if a := l.account("new", named("beyond")); a.tenant != "" || a.service != otherService {
		t.Errorf("a service of another tenant beyond the bound is %q of %q", a.service, a.tenant)
	}
}

func TestNamesAreKnownAndToldAsValidUTF8(t *testing.T) {
	l := newLedger(defaultConfig())
	r := named("orders\xff")
	if a := l.account("acme\xff", r); a.tenant != "acme\uFFFD" || a.service != "orders\uFFFD" || l.account("acme\xff", r) != a {
		t.Errorf("%q of %q", a.service, a.tenant)
	}
	if a := l.account("", named(strings.Repeat("x\xff", maxName/2))); a.service != otherService {
		t.Errorf("a name that is too long once it is valid is %q", a.service)
	}
	md := metricsOf("orders", 1, 0)
	m := md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0)
	m.SetName("requests\xff")
	m.Sum().DataPoints().At(0).Attributes().PutStr("user\xff", "a")
	a := l.account("", md.ResourceMetrics().At(0).Resource())
	l.points(a, md.ResourceMetrics().At(0))
	for _, o := range offenders(a) {
		if !utf8.ValidString(o) {
			t.Errorf("%q is told", o)
		}
	}
}

func TestNamesOfTwoPartsAreNotTakenForOthers(t *testing.T) {
	a, b := holder{tenant: "a|b", service: "c"}, holder{tenant: "a", service: "b|c"}
	if a.key(spans) == b.key(spans) {
		t.Errorf("two services share the key %s", a.key(spans))
	}
	if c := (holder{tenant: "acme", service: "orders"}); c.key(spans) != "spans|acme|orders" {
		t.Errorf("the key is %s", c.key(spans))
	}
	budgets := Budgets{Services: map[string]Limits{"a/b/c": {SpansPerSecond: of(7.)}, "a%2Fb/c": {SpansPerSecond: of(8.)}}}
	for name, test := range map[string]struct {
		tenant, service string
		want            float64
	}{
		"the tenant's service":            {"a", "b/c", 7},
		"one of a tenant with a slash":    {"a/b", "c", 8},
		"nobody's that is named like it":  {"", "a/b/c", 0},
		"another tenant's":                {"x", "a/b/c", 0},
		"a tenant named as it is written": {"a%2Fb", "c", 0},
	} {
		if got := budgets.service(test.tenant, test.service).of[spans]; got != test.want {
			t.Errorf("%s: %v, expected %v", name, got, test.want)
		}
	}
}

func TestARateThatIsTooSmallToDivideByIsRefused(t *testing.T) {
	for rate, ok := range map[float64]bool{0: true, 1e-3: true, 1e-310: false, 9e-4: false} {
		if err := (Budgets{Defaults: Limits{SpansPerSecond: of(rate)}}).Validate(); (err == nil) != ok {
			t.Errorf("%v: %v", rate, err)
		}
	}
}
