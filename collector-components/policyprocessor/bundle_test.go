// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"os"
	"testing"

	"github.com/otelplat/platform/policy"
)

const defaultBundle = "../components/bundle"

func TestTheDefaultBundlePassesItsOwnTests(t *testing.T) {
	report, err := policy.CheckFolder(t.Context(), "telemetry", os.DirFS(defaultBundle))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", report)
}
