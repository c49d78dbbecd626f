// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/otelplat/platform/policy"
	"github.com/otelplat/platform/policy/guard"
	"github.com/spf13/cobra"
)

// drainTime is how long requests that are under way may take when the server stops.
const drainTime = 5 * time.Second

func policyServe() *cobra.Command {
	var bundle, listen, entrypoint, public string
	var anyHost bool
	c := &cobra.Command{
		Use: "serve --bundle DIR --entrypoint PACKAGE", Short: "Run a decision point that speaks AuthZEN", Args: cobra.NoArgs,
		Long: `Serves the AuthZEN Authorization API 1.0: POST /access/v1/evaluation, POST
/access/v1/evaluations, and GET /.well-known/authzen-configuration. The folder is read
once a second; a bundle that does not compile leaves the last one in force.

It authenticates nobody, so it listens on this machine only, unless --any-host says
that the network is closed to others.`,
		Example: `  otelplat policy serve --bundle ./policy --entrypoint shop.orders --listen 127.0.0.1:8181
  curl -s localhost:8181/access/v1/evaluation -H 'Content-Type: application/json' -d @request.json`,
		RunE: func(c *cobra.Command, _ []string) error {
			host, _, err := net.SplitHostPort(listen)
			if err != nil {
				return &UsageError{fmt.Errorf("--listen %q is not HOST:PORT", listen), c.CommandPath()}
			}
			if ip := net.ParseIP(host); !anyHost && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
				return &UsageError{fmt.Errorf("--listen %s is open to other machines, and nobody is authenticated: say so with --any-host", listen), c.CommandPath()}
			}
			if info, err := os.Stat(bundle); err != nil || !info.IsDir() {
				return &NotFoundError{bundle + " is not a folder", "name a folder with *.rego files"}
			}
			source, err := policy.Dir(bundle)
			if err != nil {
				return err
			}
			engine, err := policy.Open(c.Context(), source, policy.WithEntrypoints(entrypoint))
			if err != nil {
				return err
			}
			defer func() { _ = engine.Close() }() // the process ends
			if err := engine.Status().Err; err != nil && engine.Snapshot() == nil {
				return err
			}
			var opts []guard.AuthZENOption
			if public != "" {
				opts = append(opts, guard.PublicURL(public))
			}
			return serve(c, listen, guard.AuthZEN(engine, entrypoint, opts...))
		},
	}
	c.Flags().StringVar(&bundle, "bundle", "", "folder of the policies")
	c.Flags().StringVar(&entrypoint, "entrypoint", "", "package that decides, with a rule allow")
	c.Flags().StringVar(&listen, "listen", "127.0.0.1:8181", "address to listen on")
	c.Flags().StringVar(&public, "public-url", "", "URL that the metadata names (that of the request)")
	c.Flags().BoolVar(&anyHost, "any-host", false, "listen on an address that other machines reach")
	_ = c.MarkFlagRequired("bundle")     // the flag is there
	_ = c.MarkFlagRequired("entrypoint") // the flag is there
	_ = c.MarkFlagDirname("bundle")      // the flag is there
	return c
}

// serve serves until the command is interrupted.
func serve(c *cobra.Command, listen string, h http.Handler) error {
	l, err := (&net.ListenConfig{}).Listen(c.Context(), "tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	fmt.Fprintf(c.ErrOrStderr(), "decides at http://%s\n", l.Addr())
	select {
	case err := <-done:
		return err
	case <-c.Context().Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Context()), drainTime)
	defer cancel()
	err = server.Shutdown(ctx)
	if served := <-done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}
