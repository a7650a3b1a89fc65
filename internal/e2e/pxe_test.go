package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"

	"labnet/internal/nettest"
)

const bootConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  host "builder" {
    mac     = "52:54:00:aa:00:09"
    address = "10.0.0.10"
  }
}
`

// rom is what a network card's boot ROM sends as its client identifier (PXE 2.1 section 2.2.2); "" for none.
type rom struct{ name, clientID string }

// boot does the four messages of a boot ROM.
func (r rom) boot(s *swarm, mac net.HardwareAddr) (*dhcpv4.DHCPv4, error) {
	options := []dhcpv4.Modifier{
		dhcpv4.WithBroadcast(true),
		dhcpv4.WithOption(dhcpv4.OptClassIdentifier("PXEClient:Arch:00000:UNDI:002001")),
		dhcpv4.WithOption(dhcpv4.OptClientArch(iana.INTEL_X86PC)),
		dhcpv4.WithGeneric(dhcpv4.OptionClientNetworkInterfaceIdentifier, []byte{1, 2, 1}),
		dhcpv4.WithGeneric(dhcpv4.OptionClientMachineIdentifier, append([]byte{0}, "0123456789abcdef"...)),
	}
	if r.clientID != "" {
		options = append(options, dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte(r.clientID))))
	}
	discover, err := dhcpv4.NewDiscovery(mac, options...)
	if err != nil {
		return nil, err
	}
	offer, err := s.ask(discover, 10)
	if err != nil {
		return nil, err
	}
	request, err := dhcpv4.NewRequestFromOffer(offer, options...)
	if err != nil {
		return nil, err
	}
	return s.ask(request, 10)
}

// system is a DHCP client of an installed system, whose memory of its lease outlives a reboot where it has one.
type system struct {
	name  string
	start func(t *testing.T, g *guest) (kill func())
}

// systems send identifiers that are neither the MAC address nor a ROM's.
func systems() []system {
	started := func(t *testing.T, g *guest, args ...string) func() {
		t.Helper()
		cmd, _ := g.Start(t, append(g.env("yes"), args...)...)
		return func() { _ = cmd.Process.Kill() }
	}
	return []system{
		{"udhcpc", func(t *testing.T, g *guest) func() {
			return started(t, g, "udhcpc", "-f", "-i", "eth0", "-s", script(t), "-C", "-x", "0x3d:ff0000002a00020000ab11", "-t", "10", "-T", "1", "-A", "1")
		}},
		{"dhclient", func(t *testing.T, g *guest) func() {
			conf := filepath.Join(g.dir, "dhclient.conf")
			// RFC 4361: type 255, IAID, DUID.
			write(t, conf, "send dhcp-client-identifier ff:00:00:00:2a:00:01:00:01:2a:00:00:01:52:54:00:aa:00:09;\nrequest subnet-mask, routers, domain-name, domain-name-servers, dhcp-lease-time;\ntimeout 20;\nretry 1;\ninitial-interval 1;\nreboot 5;\n")
			return started(t, g, "dhclient", "-4", "-d", "-cf", conf, "-lf", filepath.Join(g.dir, "leases"), "-pf", filepath.Join(g.dir, "pid"),
				"-e", "GUEST_LEASE="+g.leaseFile, "-e", "GUEST_SETS_ADDRESS=yes", "-sf", script(t), "eth0")
		}},
		{"dhcpcd", func(t *testing.T, g *guest) func() {
			conf := filepath.Join(g.dir, "dhcpcd.conf")
			write(t, conf, fmt.Sprintf("duid\npersistent\nipv4only\nnoarp\noption domain_name_servers, domain_name, routers\nenv GUEST_LEASE=%s\nenv GUEST_SETS_ADDRESS=yes\nscript %s\n",
				g.leaseFile, script(t)))
			return started(t, g, "dhcpcd", "-B", "-4", "-f", conf, "eth0")
		}},
	}
}

// TestROMThenSystem starts a machine from the network, then the system on its disk, which has another client identifier, and
// again, ROM and all. Its reservation, by MAC, serves both each time, and nobody is ever refused.
func TestROMThenSystem(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, bootConfig)
	l.start(t)
	mac, err := net.ParseMAC("52:54:00:aa:00:09")
	if err != nil {
		t.Fatal(err)
	}
	for i, sys := range systems() {
		r := []rom{{"without an identifier", ""}, {"with its UUID", "\x000123456789abcdef"}, {"with its MAC address", "\x01" + string(mac)}}[i]
		t.Run(sys.name+" after a ROM "+r.name, func(t *testing.T) {
			g := l.newGuest(t, sys.name, fmt.Sprintf("vm%d", i))
			g.Run(t, "ip", "link", "set", "eth0", "address", mac.String())
			// A disk that never saw another network: dhcpcd keeps its leases where all guests of these tests do.
			g.Run(t, "rm", "-rf", "/var/lib/dhcpcd")
			s := newSwarm(t, g.Host)
			for boot := range 2 {
				ack, err := r.boot(s, mac)
				if err != nil {
					t.Fatal(err)
				}
				if ack.MessageType() != dhcpv4.MessageTypeAck || ack.YourIPAddr.String() != "10.0.0.10" {
					t.Fatalf("boot %d: the ROM gets %s of %v", boot, ack.MessageType(), ack.YourIPAddr)
				}
				kill := sys.start(t, g)
				if got := g.leased(t)["address"]; got != "10.0.0.10" {
					t.Errorf("boot %d: the system gets %s", boot, got)
				}
				kill()
				// A reboot: nothing is left but what the client has on its disk.
				g.Run(t, "ip", "address", "flush", "dev", "eth0")
				if err := os.Remove(g.leaseFile); err != nil {
					t.Fatal(err)
				}
			}
			held := 0
			for _, one := range l.leases(t) {
				if one.MAC == mac.String() && one.State == "bound" {
					held++
				}
			}
			if held != 1 {
				t.Errorf("the machine holds %d leases", held)
			}
			g.Run(t, "ip", "link", "del", "eth0")
		})
	}
	c := l.counters(t)
	if c.sum("nak_") != 0 || c.sum("clone_") != 0 {
		t.Errorf("refused or taken for a clone: %v", c)
	}
	if c["offer_reservation"] < 6 {
		t.Errorf("only %d offers of the reservation: %v", c["offer_reservation"], c)
	}
	// The systems that remember ask for their address at once.
	if c["ack_init_reboot"]+c["ack_adopted"] < 2 {
		t.Errorf("no client came back by INIT-REBOOT: %v", c)
	}
}

// TestROMThenSystemWithoutReservation: two identifiers are two clients, each with an address of its own, and the same one at
// each boot.
func TestROMThenSystemWithoutReservation(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, strings.Replace(bootConfig, "aa:00:09", "aa:00:ff", 1))
	l.start(t)
	g := l.newGuest(t, "guest", "vm1")
	mac, err := net.ParseMAC(strings.TrimSpace(g.Run(t, "cat", "/sys/class/net/eth0/address")))
	if err != nil {
		t.Fatal(err)
	}
	s := newSwarm(t, g.Host)
	addrs := map[string]string{}
	for range 2 {
		ack, err := rom{}.boot(s, mac)
		if err != nil {
			t.Fatal(err)
		}
		kill := systems()[0].start(t, g)
		for who, got := range map[string]string{"ROM": ack.YourIPAddr.String(), "system": g.leased(t)["address"]} {
			if before := addrs[who]; before != "" && before != got {
				t.Errorf("the %s gets %s, and had %s", who, got, before)
			}
			addrs[who] = got
		}
		kill()
		g.Run(t, "ip", "address", "flush", "dev", "eth0")
		if err := os.Remove(g.leaseFile); err != nil {
			t.Fatal(err)
		}
	}
	if addrs["ROM"] == addrs["system"] {
		t.Errorf("two clients have %v", addrs)
	}
	if c := l.counters(t); c.sum("nak_") != 0 {
		t.Errorf("refused: %v", c)
	}
}
