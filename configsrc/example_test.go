// SPDX-License-Identifier: Apache-2.0

package configsrc_test

import (
	"context"
	"fmt"
	"time"

	"github.com/otelplat/platform/configsrc"
)

func Example() {
	type Settings struct {
		Timeout time.Duration `config:"timeout"`
		Retries int           `config:"retries"`
	}
	// In a service: configsrc.File("orders.yaml"), configsrc.Env("ORDERS_"),
	// configsrc.Document(client, "orders").
	operator := &configsrc.Memory{}
	live, err := configsrc.Open(context.Background(), Settings{Timeout: time.Second, Retries: 2}, operator)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer live.Close()
	changed := live.Updates(context.Background())

	operator.Set(map[string]any{"timeout": "250ms"})
	<-changed
	fmt.Println(live.Get().Timeout, live.Get().Retries)

	// Output: 250ms 2
}
