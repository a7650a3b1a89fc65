package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"testing"

	"labnet/internal/nettest"
)

// TestPortsCountWhatGuestsSend: each port has its guest, with a lease, and counts as the guest does.
func TestPortsCountWhatGuestsSend(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, labConfig)
	l.start(t)
	a := newAPI(t, filepath.Join(l.dir, "run", "labnet.sock"))
	vm1, vm2 := l.newGuest(t, "vm1", "vm1"), l.newGuest(t, "vm2", "vm2")
	vm1.udhcpc(t)
	vm2.udhcpc(t)
	addr := vm1.leased(t)["address"]
	vm2.leased(t)
	type port struct {
		Name, Bridge string
		Sent         uint64 `json:"sent_bytes"`
		Received     uint64 `json:"received_bytes"`
		Guests       []struct{ Address, Name string }
	}
	of := func(name string) port {
		t.Helper()
		var ports []port
		if err := json.Unmarshal([]byte(a.get(t, "/v1/ports?network=lab")), &ports); err != nil {
			t.Fatal(err)
		}
		for _, p := range ports {
			if p.Name == name {
				return p
			}
		}
		t.Fatalf("there is no port %s in %+v", name, ports)
		return port{}
	}
	nettest.Eventually(t, limit, func() error {
		if p := of("vm1"); len(p.Guests) != 1 || p.Guests[0].Address != addr || p.Guests[0].Name != "vm1" || p.Bridge != "br0" {
			return fmt.Errorf("the port of vm1 is %+v", p)
		}
		return nil
	})
	before, other := of("vm1"), of("vm2")
	vm1.Run(t, "ping", "-q", "-c", "100", "-i", "0.01", "-s", "1000", "10.0.0.1")
	nettest.Eventually(t, limit, func() error {
		if sent := of("vm1").Sent - before.Sent; sent < 100_000 {
			return fmt.Errorf("vm1 has sent %d bytes", sent)
		}
		return nil
	})
	if sent := of("vm2").Sent - other.Sent; sent > 50_000 {
		t.Errorf("vm2 has sent %d bytes", sent)
	}
}
