// SPDX-License-Identifier: Apache-2.0

package local

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// Serve serves HTTP on a free port of loopback and returns its host:port. Stop ends it
// and waits.
func Serve(ctx context.Context, h http.Handler) (address string, stop func(), err error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // always ErrServerClosed: stop is the only end
	}()
	return listener.Addr().String(), func() {
		_ = server.Close() // the listener and idle connections; the callers are done
		<-done
	}, nil
}

// maxAnswer is more than any example answers.
const maxAnswer = 64 << 10

// Get sends a GET request, with a bearer token unless that is empty, and returns the
// status and the body.
func Get(ctx context.Context, client *http.Client, url, token string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	// A request lasts until its body is closed: a router counts it as in flight until
	// then, and its span does not end.
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return resp.StatusCode, string(text), errors.Join(err, resp.Body.Close())
}
