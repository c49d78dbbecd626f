// SPDX-License-Identifier: Apache-2.0

package health

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// The paths of the answers.
const (
	LivePath   = "/livez"
	ReadyPath  = "/readyz"
	DetailPath = "/healthz"
)

// Handler serves /livez, /readyz and /healthz. It reads what is known and waits for
// nothing. /livez and /readyz answer 200 or 503 with a word; /healthz has the code of
// /readyz and the details as JSON, the errors' texts among them.
func (c *Checks) Handler() http.Handler {
	mux := http.NewServeMux()
	c.addProbes(mux)
	mux.HandleFunc("GET "+DetailPath, c.detail)
	return mux
}

// Probes serves /livez and /readyz only, for where strangers come.
func (c *Checks) Probes() http.Handler {
	mux := http.NewServeMux()
	c.addProbes(mux)
	return mux
}

func (c *Checks) addProbes(mux *http.ServeMux) {
	mux.HandleFunc("GET "+LivePath, c.live)
	mux.HandleFunc("GET "+ReadyPath, c.ready)
}

func (c *Checks) live(w http.ResponseWriter, _ *http.Request) {
	late := c.Live()
	answer(w, len(late) == 0, "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, liveText(late)) // whoever asked has gone
}

func (c *Checks) ready(w http.ResponseWriter, _ *http.Request) {
	status := c.Status()
	answer(w, status.Ready(), "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, string(status)+"\n") // whoever asked has gone
}

func (c *Checks) detail(w http.ResponseWriter, _ *http.Request) {
	r := c.Report()
	now := time.Now()
	d := Detail{Status: r.Status, SinceSeconds: now.Sub(r.Since).Seconds(), Checks: make([]CheckDetail, len(r.Checks))}
	for i, k := range r.Checks {
		d.Checks[i] = CheckDetail{
			Name: k.Name, Severity: k.Severity, Status: k.Status, Error: k.Error, Failures: k.Failures, Hanging: k.Hanging,
			DurationSeconds: k.Duration.Seconds(), SinceSeconds: now.Sub(k.Since).Seconds(),
		}
		if !k.At.IsZero() {
			age := now.Sub(k.At).Seconds()
			d.Checks[i].AgeSeconds = &age
		}
	}
	answer(w, r.Status.Ready(), "application/json")
	_ = json.NewEncoder(w).Encode(d) // whoever asked has gone
}

func answer(w http.ResponseWriter, ok bool, contentType string) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	if !ok {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// Detail is the body of /healthz. Times are ages, because no two clocks agree.
type Detail struct {
	Status       Status        `json:"status"`
	SinceSeconds float64       `json:"since_seconds"`
	Checks       []CheckDetail `json:"checks"`
}

// CheckDetail is one check in the body of /healthz.
type CheckDetail struct {
	Name            string   `json:"name"`
	Severity        Severity `json:"severity"`
	Status          Status   `json:"status"`
	Error           string   `json:"error,omitempty"`
	Failures        int      `json:"failures"`
	Hanging         bool     `json:"hanging,omitempty"`
	AgeSeconds      *float64 `json:"age_seconds"` // of the result; null before the first
	DurationSeconds float64  `json:"duration_seconds"`
	SinceSeconds    float64  `json:"since_seconds"`
}
