// SPDX-License-Identifier: Apache-2.0

package configsrc

import (
	"context"
	"os"
	"strings"
	"time"
)

// Env returns the layer of the environment variables that begin with a prefix,
// such as "ORDERS_". The variable of the field listen.address is
// ORDERS_LISTEN_ADDRESS; lists are separated by commas. A variable with the
// prefix that belongs to no field is refused: it is a spelling mistake. The
// environment is read once, by [Open].
func Env(prefix string) Source { return &env{prefix: prefix} }

type env struct {
	prefix string
	fields []field
}

// field is where a variable's value goes.
type field struct{ path []string }

func (f field) variable(prefix string) string {
	name := strings.ToUpper(strings.Join(f.path, "_"))
	return prefix + strings.NewReplacer("-", "_", ".", "_").Replace(name)
}

// bind tells the layer which fields there are. [Open] calls it first.
func (e *env) bind(fields []field) { e.fields = fields }

func (e *env) Name() string { return "environment " + e.prefix + "*" }

func (e *env) Load() (map[string]any, int64, error) {
	known := make(map[string]bool, len(e.fields))
	var values map[string]any
	for _, f := range e.fields {
		name := f.variable(e.prefix)
		known[name] = true
		if value, ok := os.LookupEnv(name); ok {
			if values == nil {
				values = make(map[string]any)
			}
			set(values, f.path, value)
		}
	}
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, e.prefix) && !known[name] {
			return nil, 0, &Error{Source: e.Name(), Reason: "variable " + name + " belongs to no field"}
		}
	}
	return values, 0, nil
}

// set puts a value at a path of nested maps.
func set(values map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next, ok := values[name].(map[string]any)
		if !ok {
			next = make(map[string]any)
			values[name] = next
		}
		values = next
	}
	values[path[len(path)-1]] = value
}

// Updates returns nil: the environment of a process does not change from outside.
func (e *env) Updates(context.Context) <-chan struct{} { return nil }

func (e *env) Age() time.Duration { return 0 }

func (e *env) Close() error { return nil }
