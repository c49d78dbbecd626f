// SPDX-License-Identifier: Apache-2.0

package budgetprocessor

import (
	"fmt"
	"math"
	"strings"
)

// Budgets is the document.
type Budgets struct {
	// Defaults hold for every service, each on its own.
	Defaults Limits `mapstructure:"defaults" config:"defaults"`

	// Services are the limits of services by name, and by "<tenant>/<name>", where the
	// tenant is written with %2F for / and %25 for %. What the latter leave out is that
	// of the name, and what that leaves out the defaults'. A name with / in it has only
	// limits of its tenant's.
	Services map[string]Limits `mapstructure:"services" config:"services"`

	// Tenants are the limits of all services of a tenant together.
	Tenants map[string]Limits `mapstructure:"tenants" config:"tenants"`
}

// Limits are those of a service or a tenant. 0 is no limit. A tenant has no series_per_metric and no values_per_label.
type Limits struct {
	SpansPerSecond      *float64 `mapstructure:"spans_per_second" config:"spans_per_second"`
	LogBytesPerSecond   *float64 `mapstructure:"log_bytes_per_second" config:"log_bytes_per_second"`
	DataPointsPerSecond *float64 `mapstructure:"data_points_per_second" config:"data_points_per_second"`
	Series              *int     `mapstructure:"series" config:"series"`
	SeriesPerMetric     *int     `mapstructure:"series_per_metric" config:"series_per_metric"`
	ValuesPerLabel      *int     `mapstructure:"values_per_label" config:"values_per_label"`
}

// Validate refuses budgets that are none.
func (b Budgets) Validate() error {
	if err := b.Defaults.check("defaults"); err != nil {
		return err
	}
	for name, l := range b.Services {
		if err := l.check("services." + name); err != nil {
			return err
		}
	}
	for name, l := range b.Tenants {
		if err := l.check("tenants." + name); err != nil {
			return err
		}
		if l.SeriesPerMetric != nil || l.ValuesPerLabel != nil {
			return fmt.Errorf("tenants.%s: series_per_metric and values_per_label are limits of services", name)
		}
	}
	return nil
}

// leastRate is the smallest rate there is, one in a quarter of an hour: a demand is
// told as a multiple of it.
const leastRate = 1e-3

func (l Limits) check(where string) error {
	for field, v := range map[string]*float64{
		"spans_per_second": l.SpansPerSecond, "log_bytes_per_second": l.LogBytesPerSecond, "data_points_per_second": l.DataPointsPerSecond,
	} {
		switch {
		case v == nil || *v == 0:
		case !(*v > 0) || math.IsInf(*v, 0):
			return fmt.Errorf("%s.%s is not a rate", where, field)
		case *v < leastRate:
			return fmt.Errorf("%s.%s is below %v, and not 0, which is no limit", where, field, leastRate)
		}
	}
	for field, v := range map[string]*int{"series": l.Series, "series_per_metric": l.SeriesPerMetric, "values_per_label": l.ValuesPerLabel} {
		if v != nil && *v < 0 {
			return fmt.Errorf("%s.%s is negative", where, field)
		}
	}
	return nil
}

// kind is one of the budgets that a service has.
type kind uint8

const (
	spans kind = iota
	logBytes
	dataPoints
	seriesCount
	kinds
	volumes = seriesCount // those before it are of volume
)

var kindNames = [kinds]string{"spans", "log_bytes", "data_points", "series"}

// limits are resolved: 0 is no limit.
type limits struct {
	of                        [kinds]float64
	seriesPerMetric, perLabel int
}

// over returns limits with what is left out taken from others.
func (l Limits) over(below limits) limits {
	rate := func(k kind, v *float64) {
		if v != nil {
			below.of[k] = *v
		}
	}
	rate(spans, l.SpansPerSecond)
	rate(logBytes, l.LogBytesPerSecond)
	rate(dataPoints, l.DataPointsPerSecond)
	if l.Series != nil {
		below.of[seriesCount] = float64(*l.Series)
	}
	if l.SeriesPerMetric != nil {
		below.seriesPerMetric = *l.SeriesPerMetric
	}
	if l.ValuesPerLabel != nil {
		below.perLabel = *l.ValuesPerLabel
	}
	return below
}

// tenantPart writes a tenant such that the first / is behind it.
var tenantPart = strings.NewReplacer("%", "%25", "/", "%2F")

// service returns the limits of a service.
func (b *Budgets) service(tenant, name string) limits {
	out := b.Defaults.over(limits{})
	if !strings.Contains(name, "/") { // which would be that of a tenant's service
		out = b.Services[name].over(out)
	}
	if tenant != "" {
		out = b.Services[tenantPart.Replace(tenant)+"/"+name].over(out)
	}
	return out
}

// tenant returns the limits of a tenant.
func (b *Budgets) tenant(name string) limits {
	if name == "" {
		return limits{}
	}
	return b.Tenants[name].over(limits{})
}
