// SPDX-License-Identifier: Apache-2.0

// Package datadir is the layout of what `otelplat up` keeps on disk, and how the
// other commands find a running `up` by it.
//
//	.otelplat/
//	  etcd/                 etcd's data
//	  nats/                 NATS's data
//	  keys/issuer.key       signs tokens; readable by its owner only
//	  keys/jwks.json        verifies them
//	  keys/policy.key       signs policy bundles; readable by its owner only
//	  keys/policy.pub       verifies them
//	  tokens/<name>.jwt     a token for each service and customer, renewed in time
//	  logs/<child>.log      what the children print
//	  run.json              where the running `up` listens, and its process id
//	  load.json             how the demo's requests go, each second
package datadir

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

// Default is the folder that `up` uses unless it is told another.
const Default = ".otelplat"

// Dir is a data directory.
type Dir struct {
	path string
	lock *os.File // nil unless this process is its `up`
}

// Error says what is wrong with a data directory.
type Error struct {
	Path   string
	Reason string
	err    error
}

func (e *Error) Error() string { return "data directory " + e.Path + " " + e.Reason }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.err }

// ErrInUse is what the error of a directory that another `up` uses is.
var ErrInUse = errors.New("in use")

// ErrNotRunning is returned when no `up` runs on the directory.
var ErrNotRunning = errors.New("no `otelplat up` runs here")

// Own makes the directory if it is absent, and takes it for this process.
func Own(path string) (*Dir, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, &Error{path, "cannot be named", err}
	}
	d := &Dir{path: absolute}
	for _, sub := range []string{"", "etcd", "nats", "keys", "tokens", "logs"} {
		if err := os.MkdirAll(filepath.Join(absolute, sub), 0o700); err != nil {
			return nil, &Error{absolute, "cannot be written: " + reason(err), err}
		}
	}
	lock, err := os.OpenFile(filepath.Join(absolute, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, &Error{absolute, "cannot be written: " + reason(err), err}
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(&Error{absolute, "is in use by another `otelplat up`", ErrInUse}, lock.Close())
	}
	d.lock = lock
	// What an `up` that was killed has left says nothing of this one.
	for _, file := range leftovers {
		if err := os.Remove(d.Path(file)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, errors.Join(&Error{absolute, "cannot be written: " + reason(err), err}, d.Close())
		}
	}
	return d, nil
}

// leftovers speak of one run of `up` and end with it.
var leftovers = []string{"run.json", "load.json", "outage.json"}

func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

// At returns the directory for looking at, whether it exists or not.
func At(path string) *Dir { return &Dir{path: path} }

// Close gives the directory up. The run file goes with it.
func (d *Dir) Close() error {
	if d.lock == nil {
		return nil
	}
	err := os.Remove(d.Path("run.json")) // load.json stays, for whoever wants to know how it went
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, d.lock.Close())
}

// Path returns the path of something in the directory.
func (d *Dir) Path(parts ...string) string {
	return filepath.Join(append([]string{d.path}, parts...)...)
}

// Issuer returns the issuer of tokens; its key is made when there is none.
func (d *Dir) Issuer() (*devissuer.Issuer, error) { return devissuer.Load(d.Path("keys")) }

// JWKS is the path of the keys that verify tokens.
func (d *Dir) JWKS() string { return devissuer.JWKSPath(d.Path("keys")) }

// PolicyPublic is the path of the key that verifies bundles.
func (d *Dir) PolicyPublic() string { return d.Path("keys", "policy.pub") }

// PolicyKey returns the key that signs bundles; it is made when there is none.
func (d *Dir) PolicyKey() (ed25519.PrivateKey, error) {
	private := d.Path("keys", "policy.key")
	key, err := policy.LoadPrivateKey(private)
	if errors.Is(err, os.ErrNotExist) {
		return policy.GenerateKey(private, d.PolicyPublic())
	}
	return key, err
}

// TokenPath is the path of a principal's token.
func (d *Dir) TokenPath(name string) string { return d.Path("tokens", name+".jwt") }

// WriteToken writes a token as a whole: a reader never sees half.
func (d *Dir) WriteToken(name, token string) error {
	return write(d.TokenPath(name), []byte(token+"\n"))
}

func write(path string, content []byte) error {
	temporary := path + ".new"
	if err := errors.Join(os.WriteFile(temporary, content, 0o600), os.Rename(temporary, path)); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// Running says where an `up` listens.
type Running struct {
	PID       int       `json:"pid"`
	Started   time.Time `json:"started"`
	Etcd      string    `json:"etcd"`      // client URL
	Namespace string    `json:"namespace"` //
	OTLPGRPC  string    `json:"otlp_grpc"` // URL
	OTLPHTTP  string    `json:"otlp_http"` // URL
	Events    string    `json:"events"`    // URL, OTLP gRPC of published events
	NATS      string    `json:"nats"`      // URL
	Metrics   string    `json:"metrics"`   // URL of the collector's own metrics
	Shop      string    `json:"shop"`      // URL of the storefront; "" without --demo
}

// WriteRunning says that this process runs.
func (d *Dir) WriteRunning(r Running) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return write(d.Path("run.json"), append(text, '\n'))
}

// Running returns where the `up` of this directory listens, or [ErrNotRunning].
func (d *Dir) Running() (Running, error) {
	text, err := os.ReadFile(d.Path("run.json"))
	if errors.Is(err, os.ErrNotExist) {
		return Running{}, ErrNotRunning
	}
	var r Running
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return Running{}, fmt.Errorf("run file: %w", err)
	}
	if syscall.Kill(r.PID, 0) != nil {
		return Running{}, ErrNotRunning // it was killed and could not take the file away
	}
	return r, nil
}

// Load is how the demo's requests go.
type Load struct {
	Requests uint64         `json:"requests"`
	Failed   uint64         `json:"failed"` // answered with 5xx, or not at all
	Denied   uint64         `json:"denied"` // by policy, as the demo wants some to be
	Skipped  uint64         `json:"skipped"`
	Reasons  map[string]int `json:"reasons,omitempty"` // of the failed ones
}

// WriteLoad says how the demo's requests go.
func (d *Dir) WriteLoad(l Load) error {
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	return write(d.Path("load.json"), append(text, '\n'))
}

// Load returns how the demo's requests go.
func (d *Dir) Load() (Load, error) {
	var l Load
	text, err := os.ReadFile(d.Path("load.json"))
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	return l, err
}

// KeepTokens writes tokens for all principals, and again in half of their time,
// until the context ends. Errors after the first round go to report.
func (d *Dir) KeepTokens(ctx context.Context, issuer *devissuer.Issuer, who []devissuer.Claims, report func(error)) error {
	round := func() error {
		var errs []error
		for _, c := range who {
			token, err := issuer.Token(c)
			if err == nil {
				err = d.WriteToken(c.Subject, token)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}
	if err := round(); err != nil {
		return err
	}
	go func() {
		tick := time.NewTicker(devissuer.DefaultTTL / 2)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := round(); err != nil {
					report(err)
				}
			}
		}
	}()
	return nil
}

// Outage asks the running `up` to stop a child for a while.
type Outage struct {
	Child string        `json:"child"`
	For   time.Duration `json:"for_ns"`
}

// AskOutage leaves the request where the running `up` looks for it.
func (d *Dir) AskOutage(o Outage) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return write(d.Path("outage.json"), text)
}

// TakeOutage returns the request that was left, once.
func (d *Dir) TakeOutage() (Outage, bool) {
	text, err := os.ReadFile(d.Path("outage.json"))
	if err != nil {
		return Outage{}, false
	}
	var o Outage
	err = json.Unmarshal(text, &o)
	return o, os.Remove(d.Path("outage.json")) == nil && err == nil
}
