// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/otelplat/health"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = health.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))

// open returns checks that end with the test.
func open(t *testing.T, opts ...health.Option) *health.Checks {
	c := health.New(append(opts, quiet)...)
	t.Cleanup(func() {
		if err := c.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func add(t *testing.T, c *health.Checks, name string, f health.Check, opts ...health.CheckOption) {
	t.Helper()
	if err := c.Add(name, f, opts...); err != nil {
		t.Fatal(err)
	}
}

// result returns what is known of a check.
func result(t *testing.T, c *health.Checks, name string) health.Result {
	t.Helper()
	checks := c.Report().Checks
	i := slices.IndexFunc(checks, func(r health.Result) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("no check %q", name)
	}
	return checks[i]
}

// switchable fails with what it holds.
type switchable struct{ err atomic.Pointer[error] }

func (s *switchable) fail(text string) {
	err := errors.New(text)
	s.err.Store(&err)
}

func (s *switchable) check(context.Context) error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

func TestTheWholeFollowsItsChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		if s := c.Status(); s != health.Up {
			t.Errorf("without checks it is %s", s)
		}
		var database, cache switchable
		release := make(chan struct{})
		add(t, c, "database", database.check)
		add(t, c, "cache", cache.check, health.WithSeverity(health.Degraded), health.WithThreshold(1))
		add(t, c, "first", func(ctx context.Context) error {
			select {
			case <-release:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		synctest.Wait()
		if s := c.Status(); s != health.Starting {
			t.Errorf("before the first results it is %s", s)
		}
		close(release)
		synctest.Wait()
		if s := c.Status(); s != health.Up {
			t.Errorf("when all succeed it is %s", s)
		}
		cache.fail("cold")
		time.Sleep(11 * time.Second)
		if s := c.Status(); s != health.Impaired || !s.Ready() {
			t.Errorf("with a failed check that only degrades it is %s", s)
		}
		database.fail("away")
		time.Sleep(11 * time.Second)
		if r := result(t, c, "database"); c.Status() != health.Impaired || r.Status != health.Up || r.Error != "away" || r.Failures != 1 {
			t.Errorf("after one failure of three it is %s: %+v", c.Status(), r)
		}
		time.Sleep(22 * time.Second)
		if r := result(t, c, "database"); c.Status() != health.Down || r.Status != health.Down || r.Failures != 3 {
			t.Errorf("after three failures it is %s: %+v", c.Status(), r)
		}
		c.Drain()
		if s := c.Status(); s != health.Down {
			t.Errorf("down goes before draining, got %s", s)
		}
		database.err.Store(nil)
		time.Sleep(11 * time.Second)
		if r := result(t, c, "database"); c.Status() != health.Draining || r.Status != health.Up || r.Error != "" || r.Failures != 0 {
			t.Errorf("after a success it is %s: %+v", c.Status(), r)
		}
	})
}

func TestACheckThatHangsForEverIsOneGoroutineAndSlowsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		var calls atomic.Int64
		release := make(chan struct{})
		add(t, c, "hangs", func(context.Context) error {
			calls.Add(1)
			<-release
			return nil
		})
		var other atomic.Int64
		add(t, c, "other", func(context.Context) error {
			other.Add(1)
			return nil
		})
		time.Sleep(2*time.Second + time.Millisecond)
		if r := result(t, c, "hangs"); r.Status != health.Down || !r.Hanging || !strings.Contains(r.Error, "no answer within 2s") {
			t.Errorf("after its time it is %+v", r)
		}
		time.Sleep(time.Hour)
		if r := result(t, c, "hangs"); calls.Load() != 1 || r.Failures < 300 || time.Since(r.At) > 11*time.Second {
			t.Errorf("%d calls, %+v", calls.Load(), r)
		}
		if n := other.Load(); n < 320 || n > 400 {
			t.Errorf("the other check ran %d times in an hour", n)
		}
		close(release)
		time.Sleep(11 * time.Second)
		if r := result(t, c, "hangs"); r.Status != health.Up || r.Hanging {
			t.Errorf("when it returned and ran again it is %+v", r)
		}
	})
}

func TestTwoHundredChecksThatHangAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := runtime.NumGoroutine()
		c := open(t)
		release := make(chan struct{})
		for i := range 200 {
			add(t, c, fmt.Sprint("check-", i), func(context.Context) error {
				<-release
				return nil
			}, health.WithInterval(time.Second))
		}
		time.Sleep(time.Minute)
		if n := runtime.NumGoroutine() - before; n > 202 {
			t.Errorf("%d goroutines, want one for each check and the scheduler", n)
		}
		asked := time.Now()
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		if w.Code != 503 || time.Since(asked) > 0 {
			t.Errorf("/readyz answered %d after %v", w.Code, time.Since(asked))
		}
		close(release)
	})
}

func TestAPanicIsAFailureAndLongErrorsAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		add(t, c, "panics", func(context.Context) error { panic("no") })
		add(t, c, "talks", func(context.Context) error { return errors.New(strings.Repeat("ü", 5000) + "\xff") })
		synctest.Wait()
		if r := result(t, c, "panics"); r.Status != health.Down || r.Error != "the check panicked: no" {
			t.Errorf("%+v", r)
		}
		if r := result(t, c, "talks"); len(r.Error) != 1024 {
			t.Errorf("%d bytes of an error are kept", len(r.Error))
		}
	})
}

func TestBadChecksAreNamed(t *testing.T) {
	c := open(t)
	ok := func(context.Context) error { return nil }
	add(t, c, "taken", ok)
	for field, err := range map[string]error{
		"name":      c.Add("a b", ok),
		"name ":     c.Add(strings.Repeat("x", 129), ok),
		"name  ":    c.Add("taken", ok),
		"interval":  c.Add("i", ok, health.WithInterval(time.Millisecond)),
		"timeout":   c.Add("t", ok, health.WithTimeout(0)),
		"threshold": c.Add("h", ok, health.WithThreshold(0)),
		"severity":  c.Add("s", ok, health.WithSeverity("bad")),
		"check":     c.Add("n", nil),
	} {
		var e *health.Error
		if !errors.As(err, &e) || e.Field != strings.TrimSpace(field) {
			t.Errorf("%s: error %v", field, err)
		}
	}
	for i := range health.MaxChecks - 1 {
		add(t, c, fmt.Sprint(i), ok, health.WithInterval(time.Hour))
	}
	var e *health.Error
	if err := c.Add("more", ok); !errors.As(err, &e) || e.Field != "checks" {
		t.Errorf("one too many: %v", err)
	}
	if _, err := c.Heartbeat("b", 0); !errors.As(err, &e) || e.Field != "limit" {
		t.Errorf("a heartbeat without limit: %v", err)
	}
}

func TestShutdownNamesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := health.New(quiet)
		release := make(chan struct{})
		heeds := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		add(t, c, "heeds", heeds, health.WithTimeout(time.Hour))
		add(t, c, "hangs", func(context.Context) error {
			<-release
			return nil
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := c.Shutdown(ctx); err == nil || err.Error() != "health: still running: hangs: context deadline exceeded" {
			t.Errorf("error %v", err)
		}
		if err := c.Add("late", heeds); !errors.Is(err, health.ErrClosed) {
			t.Errorf("added after Shutdown: %v", err)
		}
		close(release)
		if err := c.Shutdown(t.Context()); err != nil {
			t.Errorf("when it has returned: %v", err)
		}
	})
}

func TestUpdatesTellOfChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		var s switchable
		add(t, c, "s", s.check, health.WithThreshold(1))
		synctest.Wait()
		updates := c.Updates(t.Context())
		time.Sleep(time.Minute)
		select {
		case <-updates:
			t.Error("an update without a change")
		default:
		}
		s.fail("no")
		<-updates
		if c.Status() != health.Down {
			t.Errorf("it is %s", c.Status())
		}
	})
}

func TestAgeFailsWhileAMirrorIsOld(t *testing.T) {
	age := 10 * time.Second
	check := health.Age(func() time.Duration { return age }, time.Minute)
	if err := check(t.Context()); err != nil {
		t.Error(err)
	}
	age = 90 * time.Second
	if err := check(t.Context()); err == nil || !strings.Contains(err.Error(), "1m30s old, more than 1m0s") {
		t.Error(err)
	}
}

func TestHTTP(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := open(t)
		get := func(path string) (int, string) {
			w := httptest.NewRecorder()
			c.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			return w.Code, w.Body.String()
		}
		beat, err := c.Heartbeat("loop", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		add(t, c, "database", func(context.Context) error { return errors.New("away") })
		synctest.Wait()
		time.Sleep(5 * time.Second)
		for path, want := range map[string]string{"/livez": "200 ok\n", "/readyz": "503 down\n"} {
			if code, body := get(path); fmt.Sprintf("%d %s", code, body) != want {
				t.Errorf("%s answers %d %q, want %q", path, code, body, want)
			}
		}
		code, body := get("/healthz")
		var d health.Detail
		if err := json.Unmarshal([]byte(body), &d); err != nil || code != 503 || d.Status != health.Down || len(d.Checks) != 1 {
			t.Fatalf("/healthz answers %d %s", code, body)
		}
		if k := d.Checks[0]; k.Name != "database" || k.Error != "away" || k.AgeSeconds == nil || *k.AgeSeconds != 5 || k.SinceSeconds != 5 {
			t.Errorf("%s", body)
		}
		w := httptest.NewRecorder()
		if c.Probes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil)); w.Code != 404 {
			t.Errorf("the probes answer %d at /healthz", w.Code)
		}
		time.Sleep(time.Minute)
		if code, body := get("/livez"); code != 503 || body != "no heartbeat: loop\n" {
			t.Errorf("a late heartbeat: %d %q", code, body)
		}
		beat.Beat()
		if code, _ := get("/livez"); code != 200 {
			t.Errorf("after a beat: %d", code)
		}
	})
}

func TestMetrics(t *testing.T) {
	reader := metric.NewManualReader()
	provider := metric.NewMeterProvider(metric.WithReader(reader))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	c := health.New(quiet, health.WithMeterProvider(provider))
	var tried sync.WaitGroup
	tried.Add(1)
	updates := c.Updates(t.Context())
	add(t, c, "fails", func(context.Context) error {
		tried.Done()
		return errors.New("no")
	}, health.WithInterval(time.Hour))
	tried.Wait()
	for result(t, c, "fails").Status != health.Down {
		<-updates
	}
	got := make(map[string]float64)
	read := func() {
		clear(got)
		var rm metricdata.ResourceMetrics
		if err := reader.Collect(t.Context(), &rm); err != nil {
			t.Fatal(err)
		}
		for _, sm := range rm.ScopeMetrics {
			for _, m := range sm.Metrics {
				switch data := m.Data.(type) {
				case metricdata.Gauge[int64]:
					got[m.Name] = float64(data.DataPoints[0].Value)
				case metricdata.Gauge[float64]:
					got[m.Name] = data.DataPoints[0].Value
				case metricdata.Sum[int64]:
					got[m.Name] = float64(data.DataPoints[0].Value)
				}
			}
		}
	}
	read()
	if up, known := got["otelplat.health.status"]; !known || up != 0 || got["otelplat.health.failures"] != 1 || got["otelplat.health.age"] < 0 {
		t.Errorf("metrics %v", got)
	}
	if err := c.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	read()
	if _, known := got["otelplat.health.status"]; known {
		t.Error("it is still observed after Shutdown")
	}
}

func BenchmarkReady(b *testing.B) {
	c := health.New(quiet)
	defer func() { _ = c.Shutdown(context.Background()) }()
	for i := range 100 {
		if err := c.Add(fmt.Sprint(i), func(context.Context) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	h, r := c.Handler(), httptest.NewRequest(http.MethodGet, "/readyz", nil)
	w := httptest.NewRecorder()
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
		w.Body.Reset()
	}
}
