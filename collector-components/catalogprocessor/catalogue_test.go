// SPDX-License-Identifier: Apache-2.0

package catalogprocessor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otelplat/platform/collector-components/catalogprocessor/internal/catalog"
)

func TestStrangersAreForgottenThoughNoDocumentChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &catalogue{done: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		go c.run(ctx)
		c.strangers.Add("a")
		time.Sleep(catalog.ForgetAfter - look) // of the bubble's clock
		if synctest.Wait(); !c.strangers.Told("a") {
			t.Error("forgotten too early")
		}
		time.Sleep(2 * look)
		if synctest.Wait(); c.strangers.Told("a") {
			t.Error("with discovery only a stranger is remembered for ever")
		}
		cancel()
		<-c.done
	})
}
