// SPDX-License-Identifier: Apache-2.0

package authn

import "time"

// LookNow lets the next verification look at the key file, whatever the time.
func LookNow(v *JWT) { v.keys.(*keyFile).looked.Store(-int64(lookInterval)) }

// Cached returns how many verified tokens are kept.
func Cached(v *JWT) int {
	n := 0
	c := v.keys.keys().verified
	for _, g := range []*generation{c.young.Load(), c.old.Load()} {
		g.entries.Range(func(any, any) bool { n++; return true })
	}
	return n
}

// Forget drops all verified tokens.
func Forget(v *JWT) {
	c := v.keys.keys().verified
	c.young.Store(&generation{})
	c.old.Store(&generation{})
}

// AskAgain lets the next token with an unknown key cause a fetch, whatever the time.
func AskAgain(v *JWT) {
	a := v.keys.(*keySet).asks
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked, a.again = time.Time{}, time.Time{}
}

// MaxWaiting is how many tokens wait for keys at once.
const MaxWaiting = maxWaiting
