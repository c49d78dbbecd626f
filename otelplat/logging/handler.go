// SPDX-License-Identifier: Apache-2.0

package logging

import (
	"context"
	"io"
	"log/slog"
	"os"

	slogmulti "github.com/samber/slog-multi"
	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/otel/log"
	"go.opentelemetry.io/otel/trace"
)

// Bounds of one record.
const (
	MaxMessage = 16 << 10 // bytes
	MaxValue   = 4 << 10  // bytes of one text value
)

const cutMark = "…[cut]"

// New returns a handler that writes records at or above the level to the console
// and to the provider. Both may change their minds about the level later, through
// a [slog.LevelVar].
func New(console io.Writer, provider log.LoggerProvider, name string, level slog.Leveler) slog.Handler {
	return bounded{slogmulti.Fanout(
		Console(console, level),
		leveled{otelslog.NewHandler(name, otelslog.WithLoggerProvider(provider)), level},
	)}
}

// Console returns the handler of the console alone.
func Console(w io.Writer, level slog.Leveler) slog.Handler {
	opts := &slog.HandlerOptions{Level: level}
	if isTerminal(w) {
		return traced{slog.NewTextHandler(w, opts)}
	}
	return traced{slog.NewJSONHandler(w, opts)}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// traced adds the ids of the span in the context, under the names that
// OpenTelemetry's log data model gives them for text formats.
type traced struct{ slog.Handler }

func (h traced) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{h.Handler.WithAttrs(attrs)} }
func (h traced) WithGroup(name string) slog.Handler       { return traced{h.Handler.WithGroup(name)} }

// leveled gives a handler without a level one.
type leveled struct {
	slog.Handler
	level slog.Leveler
}

func (h leveled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level.Level() && h.Handler.Enabled(ctx, level)
}

func (h leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{h.Handler.WithAttrs(attrs), h.level}
}

func (h leveled) WithGroup(name string) slog.Handler {
	return leveled{h.Handler.WithGroup(name), h.level}
}

// bounded cuts what is too long before anybody formats it.
type bounded struct{ slog.Handler }

func (h bounded) Handle(ctx context.Context, r slog.Record) error {
	fits := len(r.Message) <= MaxMessage
	r.Attrs(func(a slog.Attr) bool {
		fits = fits && valueFits(a.Value)
		return fits
	})
	if fits {
		return h.Handler.Handle(ctx, r)
	}
	short := slog.NewRecord(r.Time, r.Level, cut(r.Message, MaxMessage), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		short.AddAttrs(slog.Attr{Key: a.Key, Value: cutValue(a.Value)})
		return true
	})
	return h.Handler.Handle(ctx, short)
}

func (h bounded) WithAttrs(attrs []slog.Attr) slog.Handler {
	short := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		short[i] = slog.Attr{Key: a.Key, Value: cutValue(a.Value)}
	}
	return bounded{h.Handler.WithAttrs(short)}
}

func (h bounded) WithGroup(name string) slog.Handler { return bounded{h.Handler.WithGroup(name)} }

func valueFits(v slog.Value) bool {
	switch v.Kind() {
	case slog.KindString:
		return len(v.String()) <= MaxValue
	case slog.KindGroup, slog.KindLogValuer, slog.KindAny:
		return false // looked at in cutValue
	}
	return true
}

func cutValue(v slog.Value) slog.Value {
	v = v.Resolve()
	switch v.Kind() {
	case slog.KindString:
		return slog.StringValue(cut(v.String(), MaxValue))
	case slog.KindGroup:
		group := v.Group()
		short := make([]slog.Attr, len(group))
		for i, a := range group {
			short[i] = slog.Attr{Key: a.Key, Value: cutValue(a.Value)}
		}
		return slog.GroupValue(short...)
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			return slog.StringValue(cut(err.Error(), MaxValue))
		}
	}
	return v
}

// cut shortens s to at most limit bytes, at the start of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(cutMark)
	for end > 0 && s[end]&0xC0 == 0x80 {
		end--
	}
	return s[:end] + cutMark
}
