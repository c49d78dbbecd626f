// SPDX-License-Identifier: Apache-2.0

// Package devissuer issues tokens for development and tests: `otelplat up` makes
// its key, and whoever can read the key can be anybody. Production has an identity
// provider; nothing but its configuration changes for [authn.Open].
package devissuer
