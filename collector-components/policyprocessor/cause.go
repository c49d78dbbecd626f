// SPDX-License-Identifier: Apache-2.0

package policyprocessor

import (
	"errors"
	"fmt"

	"github.com/open-policy-agent/opa/v1/topdown"
)

// cause says why an evaluation failed, for a log. Messages of Rego's builtins
// quote what they were given, which may be the secret: only code and place are
// told.
func cause(err error) string {
	var failed *topdown.Error
	if !errors.As(err, &failed) {
		return err.Error()
	}
	if failed.Location == nil {
		return failed.Code
	}
	return fmt.Sprintf("%s at %s:%d", failed.Code, failed.Location.File, failed.Location.Row)
}
