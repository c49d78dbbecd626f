// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/otelplat/platform/otelplat/health"
)

func Example() {
	checks := health.New()
	defer func() { _ = checks.Shutdown(context.Background()) }()
	changed := checks.Updates(context.Background())
	err := checks.Add("database", func(context.Context) error { return errors.New("connection refused") })
	if err != nil {
		fmt.Println(err)
		return
	}
	for checks.Status() != health.Down {
		<-changed
	}
	w := httptest.NewRecorder()
	checks.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, health.ReadyPath, nil))
	fmt.Print(w.Code, " ", w.Body)
	// Output: 503 down
}
