// SPDX-License-Identifier: Apache-2.0

package up

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/live"
	"github.com/otelplat/platform/cmd/otelplat/internal/supervise"
)

// everyLines is how often a pipe gets a line for each service.
const everyLines = 5 * time.Second

// printer writes what happens: for people, or a JSON object a line with a type:
// ready, died, held, warning, running, table, load, stopped.
type printer struct {
	opts Options

	mu      sync.Mutex
	drawn   int // lines of the table on the terminal
	lined   time.Time
	endings bool // children end because they were told to
}

func newPrinter(o Options) *printer { return &printer{opts: o} }

// say writes a line, above the table if one is drawn.
func (p *printer) say(object map[string]any, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opts.JSON {
		_ = json.NewEncoder(p.opts.Out).Encode(object) // whoever reads has gone
		return
	}
	p.erase()
	fmt.Fprintf(p.opts.Out, format+"\n", args...)
}

// erase goes back to the table's first line and clears from there.
func (p *printer) erase() {
	if p.drawn > 0 {
		fmt.Fprintf(p.opts.Out, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

func (p *printer) child(e supervise.Event) {
	p.mu.Lock()
	endings := p.endings
	p.mu.Unlock()
	switch {
	case e.Kind == supervise.Ready:
		p.say(map[string]any{"type": "ready", "component": e.Name, "seconds": e.Took.Seconds(), "pid": e.PID},
			"%-14s ready in %.1fs", e.Name, e.Took.Seconds())
	case e.Kind == supervise.Held:
		p.say(map[string]any{"type": "held", "component": e.Name, "seconds": e.Again.Seconds()},
			"%-14s stopped for %v, as it was asked to", e.Name, e.Again)
	case !endings:
		p.say(map[string]any{"type": "died", "component": e.Name, "error": e.Err.Error(), "again_seconds": e.Again.Seconds()},
			"%-14s ended (%v), starts again in %v", e.Name, e.Err, e.Again)
	}
}

func (p *printer) warn(err error) {
	p.say(map[string]any{"type": "warning", "error": err.Error()}, "warning: %v", err)
}

// hint says what can be done now.
func (p *printer) hint(s *specs) {
	if p.opts.JSON {
		r, err := s.dir.Running()
		if err != nil {
			p.warn(err)
			return
		}
		p.say(map[string]any{"type": "running", "etcd": r.Etcd, "otlp_grpc": r.OTLPGRPC, "otlp_http": r.OTLPHTTP, "events": r.Events, "nats": r.NATS, "shop": r.Shop, "metrics": r.Metrics}, "")
		return
	}
	text := "\nRunning; Ctrl-C stops everything. In another terminal:\n" +
		"  otelplat signals                    what the fleet knows of each instance\n" +
		"  otelplat event tail                 what happens, as it happens\n" +
		"  otelplat env SERVICE                let a service of yours join\n"
	if p.opts.Demo {
		text += "  otelplat demo fail inventory-2      watch the fleet leave it out\n" +
			"  otelplat demo heal inventory-2      and take it back\n"
	}
	p.say(nil, "%s", text)
}

// table shows the rows, and how the demo's requests go.
func (p *printer) table(rows []live.Row, load datadir.Load, demo bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	summary := fmt.Sprintf("customers: %d requests, %d failed, %d denied by policy", load.Requests, load.Failed, load.Denied)
	switch {
	case p.opts.JSON:
		_ = live.JSON(p.opts.Out, rows) // whoever reads has gone
		if demo {
			_ = json.NewEncoder(p.opts.Out).Encode(struct {
				Type string `json:"type"`
				datadir.Load
			}{"load", load})
		}
	case p.opts.Width != nil:
		var b bytes.Buffer
		_ = live.Table(&b, rows) // a buffer takes everything
		if demo {
			b.WriteString(summary + "\n")
		}
		p.erase()
		p.drawn = bytes.Count(b.Bytes(), []byte("\n"))
		_, _ = p.opts.Out.Write(cut(b.Bytes(), p.opts.Width()))
	case time.Since(p.lined) >= everyLines:
		p.lined = time.Now()
		live.Line(p.opts.Out, rows)
		if demo {
			fmt.Fprintln(p.opts.Out, summary)
		}
	}
}

// cut shortens lines to the width: one that wraps would be two to erase.
func cut(text []byte, width int) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		if runes := []rune(string(bytes.TrimSuffix(line, []byte("\n")))); len(runes) > width {
			line = []byte(string(runes[:width-1]) + "…\n")
		}
		out = append(out, line...)
	}
	return out
}

func (p *printer) stopping() {
	p.mu.Lock()
	p.drawn, p.endings = 0, true // the table stays as it was last
	p.mu.Unlock()
}

func (p *printer) stopped(took time.Duration) {
	p.say(map[string]any{"type": "stopped", "seconds": took.Seconds()}, "stopped in %.1fs", took.Seconds())
}
