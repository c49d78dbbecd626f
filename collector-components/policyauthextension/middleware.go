// SPDX-License-Identifier: Apache-2.0

package policyauthextension

import (
	"context"
	"mime"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// tryAgainAfter is the Retry-After of what cannot be judged at the moment. Keys that were
// not fetched are asked for again after a second, so that most of what passes has passed by
// then. OTLP exporters wait the longer of it and of their own pause (2.5 to 7.5 s at first,
// random): a longer one would bring all of them back in one wave.
const tryAgainAfter = 2 * time.Second

// GetHTTPHandler implements extensionmiddleware.HTTPServer: the handler lets in whom
// Authenticate lets in, and in addition whom a client certificate of the connection
// vouches for. Unlike an authenticator it chooses the answer's status, so that senders try
// again what was not judged.
func (a *authenticator) GetHTTPHandler(context.Context) (extensionmiddleware.WrapHTTPHandlerFunc, error) {
	return func(_ context.Context, next http.Handler) (http.Handler, error) {
		return &middleware{a, next}, nil
	}, nil
}

type middleware struct {
	authenticator *authenticator
	next          http.Handler
}

// ServeHTTP reads nothing of the body of who is refused.
func (m *middleware) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, answer := m.authenticator.admit(r.Context(), r.Header, r.TLS)
	if answer != nil {
		answer.write(w, r)
		return
	}
	m.next.ServeHTTP(w, r.WithContext(ctx))
}

// write answers a request as OTLP/HTTP wants failures told: with a google.rpc.Status in the
// encoding of the request.
func (r *refusal) write(w http.ResponseWriter, request *http.Request) {
	code := http.StatusUnauthorized
	if r.code == codes.Unavailable {
		code = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", strconv.Itoa(int(tryAgainAfter/time.Second)))
	} else {
		challenge := "Bearer"
		if token, _ := bearer(request.Header); token != "" {
			challenge = `Bearer error="invalid_token"` // RFC 6750, 3: not where none was sent
		}
		w.Header().Set("WWW-Authenticate", challenge)
	}
	body, mediaType := r.encoded(request.Header.Get("Content-Type"))
	if mediaType == "" {
		http.Error(w, r.text, code) // text/plain
		return
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(code)
	_, _ = w.Write(body) // the client is gone; there is nobody to tell
}

// encoded returns the status in the encodings that OTLP has, and "" for another.
func (r *refusal) encoded(contentType string) (body []byte, mediaType string) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, ""
	}
	switch mediaType {
	case "application/x-protobuf":
		body, err = proto.Marshal(r.GRPCStatus().Proto())
	case "application/json":
		body, err = protojson.Marshal(r.GRPCStatus().Proto())
	default:
		return nil, ""
	}
	if err != nil {
		return nil, ""
	}
	return body, mediaType
}
