// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"

	"github.com/otelplat/platform/cmd/otelplat/internal/datadir"
	"github.com/otelplat/platform/coord"
	"github.com/otelplat/platform/coord/versioned"
	"github.com/otelplat/platform/policy"
	"github.com/spf13/cobra"
)

func policyCommand() *cobra.Command {
	c := &cobra.Command{Use: "policy", Short: "Check and push policy bundles"}
	c.AddCommand(policyPush(), policyCheck(), documentHistory(versioned.Policy, "shop"), documentRollback(versioned.Policy, "shop"),
		documentTag(versioned.Policy, "shop"), documentPrune(versioned.Policy, "shop"))
	return c
}

// folder reads and checks a folder of policies.
func folder(c *cobra.Command, bundle, path string) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		return nil, &NotFoundError{path + " is not a folder", "name a folder with *.rego files"}
	}
	archive, err := policy.Build(os.DirFS(path))
	if err != nil {
		return nil, err
	}
	report, err := policy.Check(c.Context(), bundle, archive)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s: %d files, %d tests passed\n", path, report.Files, report.Tests)
	return archive, nil
}

func policyCheck() *cobra.Command {
	return &cobra.Command{
		Use: "check DIR", Short: "Compile a folder of policies as an engine would, and run its tests",
		Args: cobra.ExactArgs(1), Example: "  otelplat policy check ./policy",
		RunE: func(c *cobra.Command, args []string) error {
			_, err := folder(c, args[0], args[0])
			return err
		},
	}
}

func policyPush() *cobra.Command {
	var t target
	var bundle, key, reason string
	c := &cobra.Command{
		Use: "push DIR", Short: "Make a folder of policies the newest revision of a bundle",
		Long: `Compiles the folder in strict mode, runs its tests, signs it, and makes it the newest
revision of the bundle. Engines have it within a second. What fails changes
nothing.`,
		Example: `  otelplat policy push ./policy --bundle shop
  otelplat policy push ./policy --bundle shop --key policy.key --endpoints http://etcd:2379`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := coord.CheckName("bundle", bundle); err != nil {
				return &UsageError{err, c.CommandPath()}
			}
			archive, err := folder(c, bundle, args[0])
			if err != nil {
				return err
			}
			signer, err := policy.LoadPrivateKey(cmp.Or(key, datadir.At(t.dataDir).Path("keys", "policy.key")))
			if errors.Is(err, os.ErrNotExist) {
				return &NotFoundError{"no key to sign with: " + err.Error(), "name one with --key"}
			}
			if err != nil {
				return err
			}
			client, err := t.open(c.Context())
			if err != nil {
				return err
			}
			defer func() { _ = client.Close() }() // what was written is written
			rev, err := policy.Push(c.Context(), client, bundle, archive, policy.PushOptions{
				Key: signer, Author: cmp.Or(os.Getenv("USER"), "unknown"), Reason: reason, Expect: versioned.Any,
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "bundle %s is at revision %d\n", bundle, rev.Number)
			return nil
		},
	}
	t.flags(c)
	c.Flags().StringVar(&bundle, "bundle", "", "name of the bundle (of up: telemetry, shop)")
	c.Flags().StringVar(&key, "key", "", "file of the Ed25519 key to sign with (that of the running up)")
	c.Flags().StringVar(&reason, "reason", "", "why, for the history")
	_ = c.MarkFlagRequired("bundle") // the flag is there
	return c
}
