// SPDX-License-Identifier: Apache-2.0

package guard_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/guard"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ca signs certificates.
type ca struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) *ca {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &ca{t, cert, key}
}

func (c *ca) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(c.cert)
	return p
}

func (c *ca) sign(uri string) tls.Certificate {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if uri != "" {
		u, err := url.Parse(uri)
		if err != nil {
			c.t.Fatal(err)
		}
		template.URIs = []*url.URL{u}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.cert, key.Public(), c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestAClientsIdentityInMetadataDoesNotComeThrough(t *testing.T) {
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("authorization", "Bearer alice", authn.HeaderSubject, "user:root", "other", "stays"))
	_, err := obligingGuard(t).Unary(ctx, nil, &grpc.UnaryServerInfo{FullMethod: "/a/B"}, func(ctx context.Context, _ any) (any, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		p, _ := authn.FromContext(ctx)
		if len(md.Get(authn.HeaderSubject)) > 0 || len(md.Get("other")) != 1 || p.Subject != "alice" {
			t.Errorf("%v, %v", md, p)
		}
		return nil, nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestServicesAmongThemselvesOverMutualTLS runs real connections: who has a certificate of
// ours comes in, and the answer says by which decision.
func TestServicesAmongThemselvesOverMutualTLS(t *testing.T) {
	authority, stranger := newCA(t), newCA(t)
	certificates, err := authn.NewCertificates("shop.local")
	if err != nil {
		t.Fatal(err)
	}
	address := serve(t, obligingGuard(t, guard.Certificates(certificates)), grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{authority.sign("")}, ClientCAs: authority.pool(), ClientAuth: tls.VerifyClientCertIfGiven, MinVersion: tls.VersionTLS12,
	})))
	call := func(certificate ...tls.Certificate) (metadata.MD, error) {
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{Certificates: certificate, RootCAs: authority.pool(), MinVersion: tls.VersionTLS12})))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var header metadata.MD
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err = grpc_health_v1.NewHealthClient(conn).Check(metadata.AppendToOutgoingContext(ctx, authn.HeaderSubject, "user:root"), &grpc_health_v1.HealthCheckRequest{}, grpc.Header(&header))
		return header, err
	}
	header, err := call(authority.sign("spiffe://shop.local/ns/shop/sa/orders"))
	if err != nil || len(header.Get(guard.HeaderDecision)) != 1 || len(header.Get(guard.HeaderDecision)[0]) != 32 {
		t.Errorf("%v, header %v", err, header)
	}
	if _, err := call(authority.sign("spiffe://shop.local/other")); status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "decision") {
		t.Errorf("who policy does not let in: %v", err)
	}
	if _, err := call(authority.sign("spiffe://evil.local/ns/shop/sa/orders")); status.Code(err) != codes.Unauthenticated {
		t.Errorf("another domain: %v", err)
	}
	if _, err := call(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("no certificate: %v", err)
	}
	if _, err := call(stranger.sign("spiffe://shop.local/ns/shop/sa/orders")); err == nil {
		t.Error("a stranger's certificate comes in")
	}
}
