// SPDX-License-Identifier: Apache-2.0

package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// reserving sends what orders asks of inventory to one version of it.
const reserving = `variants:
  stable: {version: 1.0.0}
  next: {version: 1.1.0}   # inventory-3
routes:
  - name: reserve
    match: {grpc: /shop.v1.Inventory/, caller: {service: orders}}
    split: [{variant: next}]
`

// testRoute shows that the shop's routers follow documents and operators.
func testRoute(t *testing.T, p *running) {
	const only, other = "inventory-3", "inventory-2"
	file := filepath.Join(t.TempDir(), "route.yaml")
	if err := os.WriteFile(file, []byte(reserving), 0o600); err != nil {
		t.Fatal(err)
	}
	written := time.Now()
	p.must("route", "set", "inventory", "-f", file, "--reason", "a test", "--expect", "0")
	t.Cleanup(func() {
		if _, err := p.run("config", "del", "route.inventory"); err != nil {
			t.Error(err)
		}
	})
	p.eventually(30*time.Second, "all orders go to the newer version", func() bool { return p.served30(only) == 30 })
	t.Logf("the document is followed after less than %v", time.Since(written).Round(time.Millisecond))
	if text := p.must("route", "explain", "inventory", "--grpc", "/shop.v1.Inventory/Reserve", "--label", "service=orders"); !strings.Contains(text, "100 % by route reserve to variant next; one of inventory-3") {
		t.Errorf("explained as\n%s", text)
	}
	p.must("route", "split", "inventory", "stable=1", "--reason", "back")
	p.eventually(30*time.Second, "none goes there any more", func() bool { return p.served30(only) == 0 })

	p.must("route", "eject", "inventory", other, "--for", "5m", "--reason", "a test")
	p.eventually(30*time.Second, "none goes to what an operator took out", func() bool { return p.served30(other) == 0 })
	if text := p.must("route", "ls"); !strings.Contains(text, "eject."+other) {
		t.Errorf("listed as\n%s", text)
	}
	p.must("route", "restore", "inventory", other)
	if text := p.must("route", "ls"); strings.Contains(text, "eject."+other) {
		t.Errorf("still listed:\n%s", text)
	}
}
