package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// squattedConfig reserves an address for each guest that somebody else will have.
const squattedConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.0.100"
      end   = "10.0.0.199"
    }
  }
  host "one" {
    mac     = "52:54:00:aa:00:01"
    address = "10.0.0.51"
  }
  host "two" {
    mac     = "52:54:00:aa:00:02"
    address = "10.0.0.52"
  }
  host "three" {
    mac     = "52:54:00:aa:00:03"
    address = "10.0.0.53"
  }
}
`

// TestDeclinedByUdhcpc is for the client that is quick about it; make test-long has another.
func TestDeclinedByUdhcpc(t *testing.T) {
	declined(t, func(t *testing.T, g *guest) { g.udhcpc(t, "-a500") })
}

// declined starts clients that look whether anybody has the address that they are given. Somebody has, who only answers them, so
// that nobody can know before: each declines, and gets another address, while the first one rests.
func declined(t *testing.T, clients ...func(t *testing.T, g *guest)) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, squattedConfig)
	l.start(t)
	squatter := nettest.NewHost(t, "squatter")
	nettest.Link(t, squatter, "eth0", l.router, "vm0")
	bridge := strings.TrimSpace(l.router.Run(t, "cat", "/sys/class/net/br0/address"))
	squatter.Run(t, "nft", "add table arp deaf; add chain arp deaf in { type filter hook input priority 0; }; add rule arp deaf in arp saddr ether "+bridge+" drop")
	l.attached(t, "vm0")
	var guests []*guest
	for i := range clients {
		squatter.Run(t, "ip", "address", "add", fmt.Sprintf("10.0.0.%d/24", 51+i), "dev", "eth0")
		guests = append(guests, l.newGuest(t, "guest", fmt.Sprintf("vm%d", 1+i)))
		guests[i].Run(t, "ip", "link", "set", "eth0", "address", fmt.Sprintf("52:54:00:aa:00:%02x", 1+i))
	}
	for i, start := range clients {
		start(t, guests[i])
	}
	for i, g := range guests {
		squatted := fmt.Sprintf("10.0.0.%d", 51+i)
		var addr string
		nettest.Eventually(t, 40*time.Second, func() error {
			for _, one := range l.leases(t) {
				if one.MAC == fmt.Sprintf("52:54:00:aa:00:%02x", 1+i) && one.State == "bound" && one.Address != squatted {
					addr = one.Address
					return nil
				}
			}
			return errorOf("no other address: " + fmt.Sprint(l.leases(t)))
		})
		nettest.Eventually(t, limit, func() error {
			return contains(g.Run(t, "ip", "-4", "-o", "address", "show", "dev", "eth0"), addr+"/")
		})
		resting := false
		for _, one := range l.leases(t) {
			resting = resting || one.Address == squatted && one.State == "declined"
		}
		if !resting {
			t.Errorf("%s doesn't rest: %+v", squatted, l.leases(t))
		}
	}
	if c := l.counters(t); c["declined"] != len(clients) {
		t.Errorf("%d addresses were declined, of %d: %v", c["declined"], len(clients), c)
	}
}
