package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
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
	after rom
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
		{"udhcpc", rom{"without an identifier", ""}, func(t *testing.T, g *guest) func() {
			return started(t, g, "udhcpc", "-f", "-i", "eth0", "-s", script(t), "-C", "-x", "0x3d:ff0000002a00020000ab11", "-t", "10", "-T", "1", "-A", "1")
		}},
		{"dhclient", rom{"with its UUID", "\x000123456789abcdef"}, func(t *testing.T, g *guest) func() {
			conf := filepath.Join(g.dir, "dhclient.conf")
			// RFC 4361: type 255, IAID, DUID.
			write(t, conf, "send dhcp-client-identifier ff:00:00:00:2a:00:01:00:01:2a:00:00:01:52:54:00:aa:00:09;\nrequest subnet-mask, routers, domain-name, domain-name-servers, dhcp-lease-time;\ntimeout 20;\nretry 1;\ninitial-interval 1;\nreboot 5;\n")
			return started(t, g, "dhclient", "-4", "-d", "-cf", conf, "-lf", filepath.Join(g.dir, "leases"), "-pf", filepath.Join(g.dir, "pid"),
				"-e", "GUEST_LEASE="+g.leaseFile, "-e", "GUEST_SETS_ADDRESS=yes", "-sf", script(t), "eth0")
		}},
		{"dhcpcd", rom{"with its MAC address", "\x01\x52\x54\x00\xaa\x00\x09"}, func(t *testing.T, g *guest) func() {
			conf := filepath.Join(g.dir, "dhcpcd.conf")
			write(t, conf, fmt.Sprintf("duid\npersistent\nipv4only\nnoarp\noption domain_name_servers, domain_name, routers\nenv GUEST_LEASE=%s\nenv GUEST_SETS_ADDRESS=yes\nscript %s\n",
				g.leaseFile, script(t)))
			return started(t, g, "dhcpcd", "-B", "-4", "-f", conf, "eth0")
		}},
	}
}

// TestROMThenSystem is for the systems that are quick; make test-long has dhcpcd's.
func TestROMThenSystem(t *testing.T) { romThenSystem(t, systems()[:2]) }

// romThenSystem starts a machine from the network, then the system on its disk, which has another client identifier, and again,
// ROM and all. Its reservation, by MAC, serves both each time, and nobody is ever refused.
func romThenSystem(t *testing.T, systems []system) {
	t.Helper()
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, bootConfig)
	l.start(t)
	mac, err := net.ParseMAC("52:54:00:aa:00:09")
	if err != nil {
		t.Fatal(err)
	}
	for i, sys := range systems {
		r := sys.after
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
	if c["offer_reservation"] < 2*len(systems) {
		t.Errorf("only %d offers of the reservation: %v", c["offer_reservation"], c)
	}
	// A system that remembers asks for its address at once; udhcpc doesn't.
	if c["ack_init_reboot"]+c["ack_adopted"] < 1 {
		t.Errorf("no client came back by INIT-REBOOT: %v", c)
	}
}
