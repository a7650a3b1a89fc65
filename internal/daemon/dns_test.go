package daemon

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"

	"labnet/dnsserver"
	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/leases"
)

// withDNS is a daemon that only has a DNS server, on loopback.
func withDNS(t *testing.T) *daemon {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.30.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
	_ = conn.Close()
	cfg := config.Network{
		Name: "lab", Address: netip.MustParsePrefix("127.30.0.1/24"), DNS: config.DNS{Enabled: true, Domain: "lab.internal"},
		Hosts: []config.Host{
			{Name: "builder", Address: netip.MustParseAddr("127.30.0.10"), Aliases: []string{"ci"}},
			{Name: "roaming"},
		},
	}
	table, err := leases.NewTable(leases.Config{}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	server, err := dnsserver.Listen(dnsserver.Config{Port: port, Networks: []dnsserver.Network{dnsNetwork(cfg)}}, table, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	quiet := config.Network{Name: "quiet", Address: netip.MustParsePrefix("127.31.0.1/24")}
	return &daemon{cfg: &config.Config{Networks: []config.Network{cfg, quiet}}, dns: server, table: table}
}

func TestTraceDNSRefuses(t *testing.T) {
	d := withDNS(t)
	for _, test := range []struct {
		filter control.DNSTraceFilter
		kind   error
		want   string
	}{
		{control.DNSTraceFilter{Network: "quiet"}, control.ErrInvalid, `DNS is served in no network "quiet"; it is in: lab`},
		{control.DNSTraceFilter{Name: "a..b"}, control.ErrInvalid, "is not a domain name"},
		{control.DNSTraceFilter{Reason: "nonsense"}, control.ErrInvalid, "there is no reason"},
	} {
		if _, err := d.TraceDNS(test.filter); !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "not a question") {
			t.Errorf("%+v: %v", test.filter, err)
		}
	}
	for range maxTraces {
		trace, err := d.TraceDNS(control.DNSTraceFilter{})
		if err != nil {
			t.Fatal(err)
		}
		defer trace.Close()
	}
	if _, err := d.TraceDNS(control.DNSTraceFilter{}); !errors.Is(err, control.ErrConflict) {
		t.Errorf("one more: %v", err)
	}
	if err := (&daemon{cfg: &config.Config{}}).servedDNS(""); !errors.Is(err, control.ErrConflict) {
		t.Errorf("without DNS: %v", err)
	}
}

// The host block whose name or address it is, is named, also where it has no address and so no name.
func TestExplainDNSNamesHosts(t *testing.T) {
	d := withDNS(t)
	for _, test := range []struct{ name, qtype, rcode, host, remedy string }{
		{"builder.lab.internal", "", "NOERROR", "builder", ""},
		{"CI", "", "NOERROR", "builder", ""},
		{"127.30.0.10", "", "NOERROR", "builder", ""},
		{"roaming", "", "NXDOMAIN", "roaming", "`address`"},
		{"roaming.lab.internal", "AAAA", "NXDOMAIN", "roaming", "`address`"},
		{"x.roaming.lab.internal", "", "NXDOMAIN", "", ""},
		{"nobody.lab.internal", "", "NXDOMAIN", "", ""},
		{"ci.lab.internal", "MX", "NOERROR", "", ""},
	} {
		found, err := d.ExplainDNS(t.Context(), control.DNSQuery{Name: test.name, Type: test.qtype, Ask: true})
		if err != nil || len(found) != 1 {
			t.Errorf("%s: %v, %d networks", test.name, err, len(found))
			continue
		}
		e := found[0]
		host := ""
		for _, s := range e.Steps {
			host += s.Host
		}
		if e.Rcode != test.rcode || host != test.host || !strings.Contains(strings.Join(e.Remedies, "\n"), test.remedy) || test.remedy == "" && strings.Contains(strings.Join(e.Remedies, ""), "host block") {
			t.Errorf("%s: %s, host %q, %q", test.name, e.Rcode, host, e.Remedies)
		}
	}
}

func TestWhoseNameALeaseIs(t *testing.T) {
	lease := leases.Lease{Network: "lab", Addr: netip.MustParseAddr("10.0.0.5"), Name: "vm1", RequestedName: "VM2"}
	nameless := lease
	nameless.Name = ""
	for _, test := range []struct {
		name, network, label string
		addr                 string
		of                   leases.Lease
		want                 bool
	}{
		{"its name", "lab", "vm1", "", lease, true},
		{"another network's", "dmz", "vm1", "", lease, false},
		{"what it asked for, and has another", "lab", "vm2", "", lease, false},
		{"what it asked for, and has none", "lab", "vm2", "", nameless, true},
		{"no name", "lab", "", "", nameless, false},
		{"its address", "", "", "10.0.0.5", lease, true},
		{"another address", "", "", "10.0.0.6", lease, false},
	} {
		addr, _ := netip.ParseAddr(test.addr)
		if got := isAbout(&test.of, test.network, test.label, addr); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

func TestWhoIsRenamed(t *testing.T) {
	lease := leases.Lease{Network: "lab", State: leases.Bound, Name: "builder", RequestedName: "VM2"}
	over, nameless, same := lease, lease, lease
	over.State, nameless.Name, same.Name = leases.Released, "", "vm2"
	for _, test := range []struct {
		name, network, label string
		of                   leases.Lease
		want                 bool
	}{
		{"by its host block", "lab", "vm2", lease, true},
		{"another network's", "dmz", "vm2", lease, false},
		{"what it has", "lab", "builder", lease, false},
		{"a lease that is over", "lab", "vm2", over, false},
		{"without a name", "lab", "vm2", nameless, false},
		{"with the name", "lab", "vm2", same, false},
	} {
		if got := isRenamed(&test.of, test.network, test.label); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}
