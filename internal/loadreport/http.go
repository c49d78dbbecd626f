// SPDX-License-Identifier: Apache-2.0

package loadreport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Path is where an HTTP server answers a probe.
const Path = "/.well-known/otelplat/load"

// A StatusError says that a probe got another status than it may.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	return fmt.Sprintf("loadreport: a probe was answered with status %d", e.Status)
}

// AskHTTP asks a server for its load, once, over a transport that traces nothing. Of base,
// the scheme and the host count. It returns [ErrNotOffered] when who answers has no such
// path, or guards it, or has a page for every path; the transport's errors, a
// [*StatusError], a [*SyntaxError] or a [*ValueError] otherwise.
func AskHTTP(ctx context.Context, transport http.RoundTripper, base *url.URL) (Report, error) {
	u := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: Path}
	req := (&http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Header: make(http.Header),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nothing, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	// One byte more, so that what is too long is refused and not cut; read to the end, so
	// that the connection can be used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxText+1))
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnauthorized, http.StatusForbidden:
		return nothing, ErrNotOffered
	default:
		return nothing, &StatusError{resp.StatusCode}
	}
	if err != nil {
		return nothing, err
	}
	text := string(body)
	if !strings.HasPrefix(text, textPrefix) {
		return nothing, ErrNotOffered
	}
	return ParseText(text)
}
