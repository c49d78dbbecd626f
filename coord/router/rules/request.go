// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"net/textproto"
	"strings"
)

// Request is what routes look at. Its maps are the caller's own, in the form that net/http
// and gRPC have them, so that to make one costs nothing:
//
//	rules.Request{Method: r.Method, Path: r.URL.Path, Header: r.Header}
//	rules.Request{GRPC: fullMethod, Header: md}
type Request struct {
	Method string // of HTTP
	Path   string // of HTTP, decoded
	GRPC   string // the full method, /service/method; "" for HTTP

	// Header holds the headers under their canonical names, for gRPC the metadata under
	// their lower-case ones.
	Header map[string][]string

	Claims Claims            // of who sends; nil for none
	Caller map[string]string // labels of the calling process
}

// Claims tells what is known of who sends a request.
type Claims interface {
	// Claim returns a claim as text, false when there is none.
	Claim(name string) (string, bool)
}

// header is the name of one, as HTTP and as gRPC have it.
type header struct{ canonical, lower string }

func newHeader(name string) header {
	return header{textproto.CanonicalMIMEHeaderKey(name), strings.ToLower(name)}
}

// header returns the values of one.
func (r *Request) header(h *header) []string {
	if r.GRPC != "" {
		return r.Header[h.lower]
	}
	return r.Header[h.canonical]
}

var cookieHeader = newHeader("Cookie")

// cookie returns the value of the first of a name, as RFC 6265 has them: pairs divided by
// semicolons, in quotes or not.
func (r *Request) cookie(name string) (string, bool) {
	for _, line := range r.header(&cookieHeader) {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			have, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
			if !ok || have != name {
				continue
			}
			if len(value) > 1 && value[0] == '"' && value[len(value)-1] == '"' {
				value = value[1 : len(value)-1]
			}
			return value, true
		}
	}
	return "", false
}

func (r *Request) claim(name string) (string, bool) {
	if r.Claims == nil {
		return "", false
	}
	return r.Claims.Claim(name)
}

// keyKind says which part of a request a key is.
type keyKind uint8

const (
	noKey keyKind = iota
	headerKey
	cookieKey
	claimKey
	pathKey
)

// key is a compiled Key.
type key struct {
	kind   keyKind
	header header
	name   string // of a cookie or a claim
}

func newKey(k Key) key {
	switch {
	case k.Header != "":
		return key{kind: headerKey, header: newHeader(k.Header)}
	case k.Cookie != "":
		return key{kind: cookieKey, name: k.Cookie}
	case k.Claim != "":
		return key{kind: claimKey, name: k.Claim}
	case k.Path:
		return key{kind: pathKey}
	}
	return key{}
}

// of returns the key of a request, "" when it has none.
func (k *key) of(r *Request) string {
	switch k.kind {
	case headerKey:
		if values := r.header(&k.header); len(values) > 0 {
			return values[0]
		}
	case cookieKey:
		value, _ := r.cookie(k.name)
		return value
	case claimKey:
		value, _ := r.claim(k.name)
		return value
	case pathKey:
		if r.GRPC != "" {
			return r.GRPC
		}
		return r.Path
	}
	return ""
}
