// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/cmd/otelplat/internal/oneline"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/otelplat/event"
	"github.com/otelplat/platform/otelplat/event/jetstream"
	"github.com/spf13/cobra"
)

func eventCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "event", Short: "Publish what happened, and watch what happens",
		Long: `Events are CloudEvents that are stored before they are acknowledged, and come to
each subscription at least once.`,
	}
	c.AddCommand(publishCommand(), tailCommand(), deadCommand())
	return c
}

// natsTarget is which NATS a command reads from.
type natsTarget struct {
	url, namespace, dataDir string
	timeout                 time.Duration
}

func (t *natsTarget) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&t.url, "nats", "", "NATS's URLs (OTELPLAT_NATS_URL; else that of the running up)")
	f.StringVar(&t.namespace, "namespace", "", "namespace (OTELPLAT_NAMESPACE)")
	f.StringVar(&t.dataDir, "data-dir", datadir.Default, "data directory of a running up")
	f.DurationVar(&t.timeout, "timeout", 5*time.Second, "how long NATS may take to answer")
}

// open connects and makes sure that NATS answers. The caller closes the bus.
func (t *natsTarget) open(ctx context.Context) (*jetstream.Bus, error) {
	url, namespace := cmp.Or(t.url, os.Getenv("OTELPLAT_NATS_URL")), cmp.Or(t.namespace, os.Getenv("OTELPLAT_NAMESPACE"))
	if url == "" {
		running, err := datadir.At(t.dataDir).Running()
		if err != nil {
			return nil, err
		}
		url, namespace = running.NATS, cmp.Or(namespace, running.Namespace)
	}
	try, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	// Each of the servers once, before the time is over.
	each := max(min(jetstream.DefaultConnectTimeout, t.timeout/time.Duration(1+strings.Count(url, ","))), time.Millisecond)
	opts := []jetstream.Option{
		jetstream.WithURL(url), jetstream.WithConnectTimeout(each), jetstream.WithService("otelplat"), jetstream.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))),
	}
	if namespace != "" {
		if err := coord.CheckName("namespace", namespace); err != nil {
			return nil, err
		}
		opts = append(opts, jetstream.WithNamespace(namespace))
	}
	bus, err := openWithin(try, opts)
	if err != nil && ctx.Err() == nil && try.Err() != nil {
		return nil, &UnavailableError{who: "NATS at " + withoutUser(url), err: try.Err(), with: "--nats or OTELPLAT_NATS_URL"}
	}
	return bus, err
}

// withoutUser returns NATS's URLs without what proves who asks: it is printed, and passed on.
func withoutUser(urls string) string {
	list := strings.Split(urls, ",")
	for i, text := range list {
		if at := strings.LastIndex(text, "@"); at >= 0 {
			scheme, _, there := strings.Cut(text, "://")
			if there {
				scheme += "://"
			} else {
				scheme = ""
			}
			list[i] = scheme + text[at+1:]
		}
	}
	return strings.Join(list, ",")
}

func publishCommand() *cobra.Command {
	var p publisher
	var data, contentType string
	e := event.Event{}
	c := &cobra.Command{
		Use: "publish TYPE", Short: "Publish an event",
		Long: `Publishes an event through the collector, and ends when it is stored. The data is
the argument of --data, of the file behind an @, or with @- of standard input.`,
		Example: `  otelplat event publish shop.price.changed --subject book --data '{"price": 12}'
  otelplat event publish report.made --data @report.pdf --content-type application/pdf`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			e.Type, e.DataContentType = args[0], contentType
			var err error
			if e.Data, err = readData(c.InOrStdin(), data, event.MaxData); err != nil {
				return err
			}
			e = e.Complete(p.as)
			if err := e.Check(); err != nil {
				return err
			}
			if err := p.publish(c.Context(), e); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "stored: %s %s\n", e.Type, e.ID)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&data, "data", "", "the data, @FILE, or @- for standard input")
	f.StringVar(&contentType, "content-type", "application/json", "media type of the data")
	f.StringVar(&e.Subject, "subject", "", "what it happened to")
	f.StringVar(&e.Source, "source", "", `where it happened ("/" and the service)`)
	f.StringVar(&e.ID, "id", "", "id; the same one again is the same event (random)")
	f.StringToStringVar(&e.Extensions, "extension", nil, "extension attributes of CloudEvents, as key=value")
	p.flags(c)
	return c
}

// readData returns what the flag says, at most a byte more than an event may have.
func readData(in io.Reader, flag string, limit int64) ([]byte, error) {
	name, isFile := strings.CutPrefix(flag, "@")
	if !isFile {
		return []byte(flag), nil
	}
	if name != "-" {
		file, err := os.Open(name) //nolint:gosec // the user names it
		if errors.Is(err, fs.ErrNotExist) {
			return nil, &NotFoundError{err.Error(), ""}
		}
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }() // only read
		in = file
	}
	return io.ReadAll(io.LimitReader(in, limit+1))
}

func tailCommand() *cobra.Command {
	var t natsTarget
	var out output
	var all bool
	var service string
	var count int
	c := &cobra.Command{
		Use: "tail [TYPE...]", Short: "Print events as they happen",
		Long: `Prints events until it is interrupted, or --count have come. A type that ends in
".*" is all types that begin so. With -o json each line is a CloudEvent.`,
		Example: `  otelplat event tail 'shop.order.*'
  otelplat event tail --all --count 10 -o json`,
		RunE: func(c *cobra.Command, args []string) error {
			if count < 0 {
				return &UsageError{fmt.Errorf("--count %d is below 0", count), c.CommandPath()}
			}
			s := event.Subscription{Name: "tail", Ephemeral: true, Types: args, Service: service, All: all}
			if _, err := s.Complete(); err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			bus, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = bus.Close() }() // only read
			return tail(c.Context(), c.OutOrStdout(), bus, s, out, count)
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().BoolVar(&all, "all", false, "begin with the oldest event that is kept")
	c.Flags().StringVar(&service, "service", "", "only what this service published")
	c.Flags().IntVar(&count, "count", 0, "end after so many events (0: never)")
	return c
}

// tail prints until the context ends, which is no error.
func tail(ctx context.Context, w io.Writer, bus event.Bus, s event.Subscription, out output, count int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	enough := errors.New("enough")
	printed := 0
	// One worker: the handler is never called twice at once.
	sub, err := bus.Subscribe(ctx, s, func(_ context.Context, d event.Delivery) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := printEvent(w, d, out); err != nil {
			cancel(err)
			return err
		}
		if printed++; printed == count {
			cancel(enough)
		}
		return nil
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	_ = sub.Close() // only read
	if cause := context.Cause(ctx); !errors.Is(cause, enough) && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// maxShown bounds the data of an event in a line for people.
const maxShown = 120

func printEvent(w io.Writer, d event.Delivery, out output) error {
	if out.json() {
		text, err := d.MarshalJSON()
		if err == nil {
			_, err = fmt.Fprintf(w, "%s\n", text)
		}
		return err
	}
	_, err := fmt.Fprintf(w, "%s  %-12s  %-24s  %-20s  %s\n", d.Time.Local().Format("15:04:05.000"), d.Service, d.Type, oneline.Of(d.Subject), shown(d.Data))
	return err
}

// shown makes data fit a line.
func shown(data []byte) string { return oneline.Cut(string(data), maxShown) }

func deadCommand() *cobra.Command {
	var t natsTarget
	var out output
	var limit int
	c := &cobra.Command{
		Use: "dead SUBSCRIPTION", Short: "List the events that a subscription gave up",
		Example: "  otelplat event dead inventory", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			bus, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = bus.Close() }() // only read
			ctx, cancel := context.WithTimeout(c.Context(), t.timeout)
			defer cancel()
			letters, err := bus.DeadLetters(ctx, args[0], limit)
			if err != nil {
				return err
			}
			list := make([]deadLetter, len(letters))
			for i, l := range letters {
				list[i] = deadLetter{l.Event, l.Service, l.Attempts, l.Reason, l.Sequence, l.Buried}
			}
			return print(c.OutOrStdout(), out, list, func(w io.Writer, list []deadLetter) error {
				t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
				fmt.Fprintln(t, "BURIED\tSERVICE\tTYPE\tID\tATTEMPTS\tREASON")
				for _, l := range list {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\n", l.Buried.Local().Format(time.DateTime), l.Service, l.Event.Type, l.Event.ID,
						l.Attempts, shown([]byte(l.Reason)))
				}
				return t.Flush()
			})
		},
	}
	t.flags(c)
	out.flags(c)
	c.Flags().IntVar(&limit, "limit", 100, "the newest so many, at most 1000")
	return c
}

// deadLetter is a dead letter as it is printed.
type deadLetter struct {
	Event    event.Event `json:"event"`
	Service  string      `json:"service"`
	Attempts int         `json:"attempts"`
	Reason   string      `json:"reason"`
	Sequence uint64      `json:"sequence"`
	Buried   time.Time   `json:"buried"`
}
