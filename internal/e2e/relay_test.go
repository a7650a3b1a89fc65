package e2e

import (
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"labnet/internal/nettest"
)

// relayConfig is the guide's example of relays. Each has a guest's port on the bridge.
func relayConfig(t *testing.T) string {
	t.Helper()
	text := guideSnippet(t, "relays = ")
	return strings.NewReplacer("192.0.2.7", "198.51.100.7", "  dhcp {", "  bridge {\n    attach = [\"vm*\"]\n  }\n  dhcp {").Replace(text)
}

// A relay of the subnet hands in what a real client says on another segment.
func TestAGuestBehindARelayOfTheSubnet(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, relayConfig(t))
	l.start(t)
	relay := l.newGuest(t, "relay", "vm1")
	g := &guest{Host: nettest.NewHost(t, "far"), name: "far", dir: t.TempDir()}
	g.leaseFile = g.dir + "/lease"
	setResolver(t, g.Host, "")
	nettest.Link(t, g.Host, "eth0", relay.Host, "eth1")
	relay.Run(t, "ip", "address", "add", "10.0.0.5/24", "dev", "eth1")
	relay.Run(t, "ip", "route", "add", "10.0.0.1/32", "dev", "eth0")
	// It answers ARP for its address on both segments, and hears the server on the far side of its address.
	for _, name := range []string{"all", "eth0"} {
		relay.Run(t, "sysctl", "-qw", "net.ipv4.conf."+name+".rp_filter=0")
	}
	relay.Start(t, "dnsmasq", "--no-daemon", "--port=0", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--dhcp-relay=10.0.0.5,10.0.0.1,eth0", "--log-dhcp")
	g.udhcpc(t)
	got := g.leased(t)
	if got["router"] != "10.0.0.1" {
		t.Errorf("told: %v", got)
	}
	if all := l.leases(t); len(all) != 1 || all[0].Address != got["address"] || all[0].Name != "far" {
		t.Errorf("leases %+v", all)
	}
}

// A relay elsewhere is heard, and answered, through the bridge's firewall if it is named and there is a route to it.
func TestARelayOutsideTheSubnet(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, relayConfig(t))
	l.start(t)
	relay := l.newGuest(t, "relay", "vm1")
	l.router.Run(t, "ip", "route", "add", "198.51.100.0/24", "dev", "br0")
	relay.Run(t, "ip", "route", "add", "10.0.0.0/24", "dev", "eth0")
	for _, a := range []string{"198.51.100.7/32", "198.51.100.8/32"} {
		relay.Run(t, "ip", "address", "add", a, "dev", "eth0")
	}

	offer, err := relayed(t, relay.Host, "198.51.100.7", 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if offer.MessageType() != dhcpv4.MessageTypeOffer || !netip.MustParsePrefix("10.0.0.0/24").Contains(netip.AddrFrom4([4]byte(offer.YourIPAddr.To4()))) {
		t.Errorf("answer: %s", offer.Summary())
	}
	if id := offer.ServerIdentifier(); !id.Equal(net.IPv4(198, 51, 100, 7)) {
		t.Errorf("the server identifier is %v", id)
	}
	if _, err := relayed(t, relay.Host, "198.51.100.8", time.Second); err == nil {
		t.Error("a relay that isn't named is answered")
	}
	if out := l.labnet(t, "status", "-o", "json"); !strings.Contains(strings.ReplaceAll(out, " ", ""), `"foreign_relay":`) || strings.Contains(strings.ReplaceAll(out, " ", ""), `"foreign_relay":0`) {
		t.Errorf("the foreign relay is not counted:\n%s", out)
	}
}

// relayed hands in a DISCOVER as the relay with this address until an answer comes or the time is over.
func relayed(t *testing.T, h *nettest.Host, giaddr string, limit time.Duration) (answer *dhcpv4.DHCPv4, err error) {
	t.Helper()
	ip := net.ParseIP(giaddr).To4()
	q, err := dhcpv4.NewDiscovery(net.HardwareAddr{0x52, 0x54, 0, 0, 0, 0x77}, dhcpv4.WithGatewayIP(ip), dhcpv4.WithOption(dhcpv4.OptRelayAgentInfo(
		dhcpv4.OptGeneric(dhcpv4.LinkSelectionSubOption, []byte{10, 0, 0, 0}), dhcpv4.OptGeneric(dhcpv4.ServerIdentifierOverrideSubOption, ip))))
	if err != nil {
		t.Fatal(err)
	}
	var conn *net.UDPConn
	h.Do(t, func() { conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: ip, Port: 67}) })
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for end := time.Now().Add(limit); time.Now().Before(end); {
		if _, err := conn.WriteToUDP(q.ToBytes(), &net.UDPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 67}); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		buf := make([]byte, 2048)
		n, _, err := conn.ReadFromUDP(buf)
		if err == nil {
			return dhcpv4.FromBytes(buf[:n])
		}
	}
	return nil, net.ErrClosed
}
