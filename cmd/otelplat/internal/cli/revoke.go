// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/otelplat/platform/policy/authn/revoked"
	"github.com/spf13/cobra"
)

func revokeCommand() *cobra.Command {
	var t target
	var e revoked.Entry
	var length time.Duration
	c := &cobra.Command{
		Use: "revoke --subject KIND:ID | --session ID | --token-id ID", Short: "Take tokens back before they expire", Args: cobra.NoArgs,
		Long: `Takes back all tokens of a subject that were issued until now, those of a session, or
one by its id (the claim jti, or an API key's id). It is in force in every service within a
second, and lasts for as long as the longest-lived of these tokens may live.`,
		Example: `  otelplat revoke --subject user:alice --reason "laptop lost"
  otelplat revoke --session s-17 --for 1h`,
		RunE: func(c *cobra.Command, _ []string) error {
			if kind, id, ok := strings.Cut(e.Subject, ":"); e.Subject != "" && (!ok || id == "" || kind != "user" && kind != "service") {
				return &UsageError{fmt.Errorf("--subject %q is not user:ID or service:ID", e.Subject), c.CommandPath()}
			}
			if length <= 0 {
				return &UsageError{errors.New("--for is not above 0"), c.CommandPath()}
			}
			e.Until, e.By = time.Now().Add(length), author()
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // what was written is written
			if err := revoked.Revoke(c.Context(), client, e); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "revoked until %s\n", e.Until.Format(time.RFC3339))
			return nil
		},
	}
	t.flags(c)
	c.Flags().StringVar(&e.Subject, "subject", "", "user:ID or service:ID")
	c.Flags().StringVar(&e.Session, "session", "", "id of a login (the claim sid)")
	c.Flags().StringVar(&e.Token, "token-id", "", "id of a token (the claim jti), or of an API key")
	c.Flags().StringVar(&e.Issuer, "issuer", "", "of this issuer only")
	c.Flags().StringVar(&e.Reason, "reason", "", "why, for others")
	c.Flags().DurationVar(&length, "for", 31*24*time.Hour, "how long the longest-lived token may live")
	c.MarkFlagsOneRequired("subject", "session", "token-id")
	c.MarkFlagsMutuallyExclusive("subject", "session", "token-id")
	return c
}
