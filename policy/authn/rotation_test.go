// SPDX-License-Identifier: Apache-2.0

package authn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/otelplat/platform/policy/authn"
	"github.com/otelplat/platform/policy/authn/devissuer"
)

// published is where an issuer publishes its keys. It answers in no time, unless hold is
// there: then when that is closed, with what was published when it was asked.
type published struct {
	mu      sync.Mutex
	current *devissuer.Issuer
	status  int
	hold    chan struct{}
	fetches int
}

func (p *published) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	p.fetches++
	body, status, hold := p.current.JWKS(), p.status, p.hold
	p.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// set changes what is published and returns how often it was fetched before.
func (p *published) set(change func()) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	return p.fetches
}

func (p *published) count() int { return p.set(func() {}) }

// rotate publishes another key in place of the old one, and returns a token of it.
func (p *published) rotate(t *testing.T) string {
	t.Helper()
	next := issuer(t)
	p.set(func() { p.current = next })
	return token(t, next, devissuer.Claims{Subject: "ann"})
}

// followed returns a verifier that knows the keys, in a bubble of synctest, and a token that it takes.
func followed(t *testing.T) (v *authn.JWT, p *published, known string) {
	t.Helper()
	p = &published{current: issuer(t), status: http.StatusOK}
	v, err := authn.OpenIssuer(t.Context(), authn.Config{
		Issuer: devissuer.Name, Audience: devissuer.Audience, JWKSURL: "https://issuer.example/jwks", Client: &http.Client{Transport: p, Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	if err := v.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	return v, p, token(t, p.current, devissuer.Claims{Subject: "bob"})
}

// taken, early and refused are the answers to a token, in words that failures can print.
const (
	taken   = "taken"
	early   = "refused, as what may be early"
	refused = "refused"
)

func answer(ctx context.Context, v *authn.JWT, token string) string {
	switch _, err := v.Verify(ctx, token); {
	case err == nil:
		return taken
	case errors.Is(err, authn.ErrKeyNotFetched) && errors.Is(err, authn.ErrUnknownKey):
		return early
	case errors.Is(err, authn.ErrUnknownKey):
		return refused
	default:
		return err.Error()
	}
}

func expect(t *testing.T, v *authn.JWT, what, token, want string) {
	t.Helper()
	if got := answer(t.Context(), v, token); got != want {
		t.Errorf("%s is %s, expected: %s", what, got, want)
	}
}

func strangers(t *testing.T) string { return token(t, issuer(t), devissuer.Claims{Subject: "eve"}) }

func TestAfterARotationAllWaitForTheOneFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p, known := followed(t)
		fresh, hold := p.rotate(t), make(chan struct{})
		before := p.set(func() { p.hold = hold })
		answers := make(chan string, 5)
		for range cap(answers) {
			go func() { answers <- answer(t.Context(), v, fresh) }()
		}
		synctest.Wait()
		if n := len(answers); n != 0 {
			t.Errorf("%d of the tokens did not wait for the fetch", n)
		}
		expect(t, v, "a token with a known key, meanwhile,", known, taken)
		close(hold)
		for range cap(answers) {
			if got := <-answers; got != taken {
				t.Errorf("a token with the new key is %s", got)
			}
		}
		if n := p.count() - before; n != 1 {
			t.Errorf("%d fetches, expected 1", n)
		}
	})
}

func TestAfterARotationManyAtOnceOfAnIssuerOverTheNetwork(t *testing.T) {
	s := server(t)
	v := follow(t, s)
	if err := v.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := s.Fetches()
	if err := s.Rotate(); err != nil {
		t.Fatal(err)
	}
	s.Break(devissuer.Faults{Delay: 20 * time.Millisecond})
	fresh := of(t, s, devissuer.Claims{Subject: "ann"})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			if got := answer(t.Context(), v, fresh); got != taken {
				t.Errorf("a token with the new key is %s", got)
			}
		})
	}
	wg.Wait()
	if n := s.Fetches() - before; n != 1 {
		t.Errorf("%d fetches, expected 1", n)
	}
}

func TestARotationWhileTheIssuerIsAwayIsNoRefusalAndIsOverSoonAfter(t *testing.T) {
	for _, away := range []time.Duration{0, 20 * time.Second, 40 * time.Minute, 40*time.Minute + 10*time.Second, 40*time.Minute + 20*time.Second} {
		t.Run(fmt.Sprint(away), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v, p, known := followed(t)
				p.set(func() { p.status = http.StatusServiceUnavailable })
				fresh, stranger := p.rotate(t), strangers(t)
				began, before := time.Now(), p.count()
				for {
					expect(t, v, "a token with the new key, the issuer away,", fresh, early)
					expect(t, v, "a stranger's token, the issuer away,", stranger, early)
					expect(t, v, "a token with a known key", known, taken)
					if time.Since(began) >= away {
						break
					}
					time.Sleep(max(100*time.Millisecond, away/400))
				}
				// 1, 2, 4 and 8 s after each other, then 10 s, each less a tenth of it for the jitter.
				if n, most := p.count()-before, 6+int(away/(9*time.Second)); n > most {
					t.Errorf("%d fetches in %v, expected %d at most", n, away, most)
				}
				p.set(func() { p.status = http.StatusOK })
				back := time.Now()
				for answer(t.Context(), v, fresh) != taken {
					if time.Since(back) > 11*time.Second {
						t.Fatalf("%v after the issuer is back, the new key is not known", time.Since(back))
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		})
	}
}

func TestAStrangerThatSpentTheFetchKeepsNobodyOutForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p, known := followed(t)
		before := p.count()
		expect(t, v, "a stranger's token, after a fetch for it,", strangers(t), refused)
		fresh := p.rotate(t)
		for range 299 { // 29.9 s
			expect(t, v, "a token with the new key", fresh, early)
			expect(t, v, "a stranger's token", strangers(t), early)
			expect(t, v, "a token with the old key, which nobody read to be gone,", known, taken)
			time.Sleep(100 * time.Millisecond)
		}
		if n := p.count() - before; n != 1 {
			t.Errorf("%d fetches in 30 s, expected 1", n)
		}
		time.Sleep(100 * time.Millisecond)
		expect(t, v, "a stranger's token, when a fetch may be caused again,", strangers(t), refused)
		expect(t, v, "a token with the new key, after that,", fresh, taken)
		expect(t, v, "a token with the old key, after that,", known, early)
		if n := p.count() - before; n != 2 {
			t.Errorf("%d fetches, expected 2", n)
		}
	})
}

func TestAFetchThatFailedGivesBackNoMoreThanItsOwnTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p, _ := followed(t)
		before := p.set(func() { p.status = http.StatusServiceUnavailable })
		expect(t, v, "a stranger's token, the issuer away,", strangers(t), early)
		p.set(func() { p.status = http.StatusOK })
		for range 290 { // the keys are fetched again after a second, unasked
			time.Sleep(100 * time.Millisecond)
			answer(t.Context(), v, strangers(t))
		}
		if n := p.count() - before; n != 2 {
			t.Errorf("%d fetches in 29 s, expected the one that failed and the next", n)
		}
	})
}

func TestAFetchThatBeganBeforeATokenCameDoesNotJudgeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p, _ := followed(t)
		hold := make(chan struct{})
		p.set(func() { p.hold = hold })
		first := make(chan string, 1)
		stranger := strangers(t)
		go func() { first <- answer(t.Context(), v, stranger) }()
		synctest.Wait()
		fresh := p.rotate(t) // the answer that is under way does not hold it
		second := make(chan string, 1)
		go func() { second <- answer(t.Context(), v, fresh) }()
		synctest.Wait()
		close(hold)
		if got := <-first; got != refused {
			t.Errorf("the token that caused the fetch is %s, expected: %s", got, refused)
		}
		if got := <-second; got != early {
			t.Errorf("the token that came during the fetch is %s, expected: %s", got, early)
		}
	})
}

func TestTheWaitForAFetchIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p, _ := followed(t)
		fresh, hold := p.rotate(t), make(chan struct{})
		p.set(func() { p.hold = hold })

		began := time.Now()
		expect(t, v, "a token that waited for a slow issuer", fresh, early)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it waited for %v, expected 2 s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if got := answer(ctx, v, fresh); got != early || time.Since(began) != time.Second {
			t.Errorf("a token whose request ends after a second is %s after %v", got, time.Since(began))
		}
		answers := make(chan string, authn.MaxWaiting)
		for range cap(answers) {
			go func() { answers <- answer(t.Context(), v, fresh) }()
		}
		synctest.Wait()
		began = time.Now()
		expect(t, v, "a token when too many wait", fresh, early)
		if took := time.Since(began); took != 0 {
			t.Errorf("one more than may wait waited, for %v", took)
		}
		close(hold)
		for range cap(answers) {
			if got := <-answers; got != taken {
				t.Errorf("one of those that waited is %s", got)
			}
		}
		expect(t, v, "a token after all that", fresh, taken)
	})
}

func TestAfterCloseATokenWithAnUnknownKeyDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p, known := followed(t)
		fresh := p.rotate(t)
		v.Close()
		began := time.Now()
		expect(t, v, "a token with a new key", fresh, early)
		expect(t, v, "a token with a known key", known, taken)
		if took := time.Since(began); took != 0 {
			t.Errorf("it waited for %v", took)
		}
	})
}

func TestWhatNoKeyMakesGoodCausesNoFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, p, _ := followed(t)
		before := p.count()
		long := time.Now().Add(-2 * time.Hour)
		for what, c := range map[string]devissuer.Claims{
			"expired": {Subject: "ann", Now: long}, "for another audience": {Subject: "ann", Audience: "other"}, "not valid yet": {Subject: "ann", Now: time.Now().Add(time.Hour)},
		} {
			expect(t, v, "a token with an unknown key that is "+what, token(t, issuer(t), c), refused)
		}
		nameless := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"iss": devissuer.Name, "aud": devissuer.Audience, "sub": "ann", "exp": time.Now().Add(time.Hour).Unix()})
		head, err := nameless.SigningString()
		if err != nil {
			t.Fatal(err)
		}
		expect(t, v, "a token that names no key", head+"."+b64([]byte("signature")), refused)
		if n := p.count() - before; n != 0 {
			t.Errorf("%d fetches, expected none", n)
		}
	})
}

func TestAtTheStartAllWaitForTheKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		p := &published{current: issuer(t), status: http.StatusOK, hold: hold}
		v, err := authn.OpenIssuer(t.Context(), authn.Config{
			Issuer: devissuer.Name, Audience: devissuer.Audience, JWKSURL: "https://issuer.example/jwks", Client: &http.Client{Transport: p},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		synctest.Wait()
		good, stranger := token(t, p.current, devissuer.Claims{Subject: "ann"}), strangers(t)
		answers, strange := make(chan string, 5), make(chan string, 1)
		for range cap(answers) {
			go func() { answers <- answer(t.Context(), v, good) }()
		}
		go func() { strange <- answer(t.Context(), v, stranger) }()
		synctest.Wait()
		close(hold)
		for range cap(answers) {
			if got := <-answers; got != taken {
				t.Errorf("a good token is %s", got)
			}
		}
		if got := <-strange; got != early {
			t.Errorf("a stranger's token, which the first fetch is too old for, is %s", got)
		}
		expect(t, v, "the stranger's token, sent again,", stranger, refused)
	})
}

func TestAnUnknownKeyHasTheFileLookedAtAtOnce(t *testing.T) {
	old, next := issuer(t), issuer(t)
	v, path := verifier(t, old.JWKS())
	replace := func(text string) {
		t.Helper()
		if err := errors.Join(os.WriteFile(path+".new", []byte(text), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
	}
	fresh := token(t, next, devissuer.Claims{Subject: "ann"})
	expect(t, v, "a token whose key is not in the file", fresh, refused)
	replace("{")
	expect(t, v, "a token, the file being broken,", fresh, early)
	replace(string(next.JWKS()))
	expect(t, v, "a token whose key is in the file now", fresh, taken)
}
