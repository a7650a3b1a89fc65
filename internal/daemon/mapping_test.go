package daemon

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"labnet/dhcpserver"
	"labnet/dnsserver"
	"labnet/internal/config"
	"labnet/internal/hooks"
	"labnet/internal/nettest"
	"labnet/leases"
	"labnet/netcfg"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { nettest.Main(m) }

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// load is the configuration of a text.
func load(t *testing.T, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "labnet.hcl")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, diags := config.Load(path)
	if diags.HasErrors() {
		t.Fatal(diags.All())
	}
	return cfg
}

// The examples together use every block; what becomes of them is looked at by a person when it changes.
func TestCompileExamples(t *testing.T) {
	for _, name := range []string{"minimal", "full", "two-networks"} {
		t.Run(name, func(t *testing.T) {
			cfg, diags := config.Load("../../examples/" + name + ".hcl")
			if diags.HasErrors() {
				t.Fatal(diags.All())
			}
			p := compile(cfg, "hypervisor")
			text, err := json.MarshalIndent(struct {
				Host   netcfg.Config
				Leases leases.Config
				DNS    dnsserver.Config
				DHCP   []dhcpserver.Config
				Hooks  []hooks.Config
			}{p.host, p.leases, p.dns, p.dhcp, p.hooks}, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".json", string(text)+"\n")
		})
	}
}

func TestCompileServices(t *testing.T) {
	const network = "network \"lab\" {\n  address = \"10.0.0.1/24\"\n  dhcp {\n    enabled = %v\n  }\n  dns {\n    enabled = %v\n  }\n}\n"
	for _, dhcp := range []bool{false, true} {
		for _, dns := range []bool{false, true} {
			p := compile(load(t, fmt.Sprintf(network, dhcp, dns)), "")
			host := p.host.Networks[0]
			if host.DHCP != dhcp || host.DNS != dns {
				t.Errorf("dhcp %v, dns %v: the firewall lets in DHCP %v, DNS %v", dhcp, dns, host.DHCP, host.DNS)
			}
			if len(p.dhcp) != len(p.leases.Networks) || (len(p.dhcp) == 1) != dhcp || (len(p.dns.Networks) == 1) != dns {
				t.Errorf("dhcp %v, dns %v: serves DHCP on %d and DNS on %d networks", dhcp, dns, len(p.dhcp), len(p.dns.Networks))
			}
			if dhcp && (option(p.dhcp[0], optDNS) != nil) != dns {
				t.Errorf("dns %v: guests are told the resolver %v", dns, option(p.dhcp[0], optDNS))
			}
		}
	}
}

func option(cfg dhcpserver.Config, code uint8) []byte {
	for _, o := range cfg.Options {
		if o.Code == code {
			return o.Data
		}
	}
	return nil
}

func TestCompileOptions(t *testing.T) {
	const text = `network "lab" {
  address = "10.0.0.1/20"
  bridge {
    mtu = 9000
  }
  dhcp {
    option "routers" {
      value = ["10.0.0.2"]
    }
    option "wpad" {
      code   = 252
      type   = "text"
      value  = "x"
      always = true
    }
  }
}
`
	got := compile(load(t, text), "").dhcp[0]
	want := []dhcpserver.Option{
		{Code: optBroadcast, Data: []byte{10, 0, 15, 255}},
		{Code: optDNS, Data: []byte{10, 0, 0, 1}},
		{Code: optDomainName, Data: []byte("lab.internal")},
		{Code: optDomainSearch, Data: []byte("\x03lab\x08internal\x00")},
		{Code: optMTU, Data: []byte{0x23, 0x28}, Always: true},
		{Code: optRouter, Data: []byte{10, 0, 0, 2}},
		{Code: 252, Data: []byte("x"), Always: true},
	}
	if diff := cmp.Diff(want, got.Options); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLabelIn(t *testing.T) {
	for _, tt := range []struct{ record, want string }{
		{"web", "web"},
		{"Web", "web"},
		{"web.lab.internal.", "web"},
		{"WEB.Lab.Internal.", "web"},
		{"a.b", ""},
		{"_ldap._tcp", ""},
		{"@", ""},
		{"*", ""},
		{"*.apps", ""},
		{"lab.internal.", ""},
		{"a.b.lab.internal.", ""},
		{"web.example.org.", ""},
		{"10.0.0.10.in-addr.arpa.", ""},
	} {
		if got, ok := labelIn("lab.internal", tt.record); got != tt.want && ok || ok != (tt.want != "") {
			t.Errorf("labelIn(%q) = %q, %v, want %q", tt.record, got, ok, tt.want)
		}
	}
}

func TestHostLabel(t *testing.T) {
	for name, want := range map[string]string{
		"hypervisor": "hypervisor", "Host7.example.com": "host7", "localhost": "", "localhost.localdomain": "", "(none)": "", "": "",
		"my_host": "", "42": "", "-x": "", "a b": "", "münchen": "",
	} {
		if got := hostLabel(name); got != want {
			t.Errorf("hostLabel(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestUpstreams(t *testing.T) {
	server := netip.MustParseAddrPort("192.0.2.53:53")
	corp := config.Upstream{Name: "corp", Domains: []string{"corp.example.com"}, Servers: []netip.AddrPort{server}}
	all := config.Upstream{Name: "all", Servers: []netip.AddrPort{server}}
	follow := dnsserver.UpstreamGroup{Name: "host", Follow: "/etc/resolv.conf"}
	asCorp := dnsserver.UpstreamGroup{Name: "corp", Domains: corp.Domains, Servers: corp.Servers}
	asAll := dnsserver.UpstreamGroup{Name: "all", Servers: all.Servers}
	for _, tt := range []struct {
		name string
		in   []config.Upstream
		want []dnsserver.UpstreamGroup
	}{
		{"none", nil, []dnsserver.UpstreamGroup{follow}},
		{"for a domain only", []config.Upstream{corp}, []dnsserver.UpstreamGroup{asCorp, follow}},
		{"for all", []config.Upstream{all}, []dnsserver.UpstreamGroup{asAll}},
		{"both", []config.Upstream{all, corp}, []dnsserver.UpstreamGroup{asAll, asCorp}},
	} {
		if diff := cmp.Diff(tt.want, upstreams(config.Resolver{Upstreams: tt.in}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestRangeSize(t *testing.T) {
	for _, tt := range []struct {
		start, end string
		want       int
	}{
		{"10.0.0.2", "10.0.0.2", 1},
		{"10.0.0.2", "10.0.0.254", 253},
		{"10.0.0.200", "10.0.1.10", 67},
		{"10.0.0.1", "10.255.255.254", 1<<24 - 2},
	} {
		if got := rangeSize(config.AddrRange{Start: netip.MustParseAddr(tt.start), End: netip.MustParseAddr(tt.end)}); got != tt.want {
			t.Errorf("%s to %s: %d, want %d", tt.start, tt.end, got, tt.want)
		}
	}
}

func TestInRanges(t *testing.T) {
	addr := netip.MustParseAddr
	ranges := []config.AddrRange{{Start: addr("10.0.0.10"), End: addr("10.0.0.11")}, {Start: addr("10.0.1.0"), End: addr("10.0.1.0")}}
	for text, want := range map[string]bool{
		"10.0.0.9": false, "10.0.0.10": true, "10.0.0.11": true, "10.0.0.12": false, "10.0.1.0": true, "10.0.1.1": false,
	} {
		if got := inRanges(ranges, addr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// A network without DNS is ours all the same, and the policies arrive.
func TestResolverPolicies(t *testing.T) {
	p := compile(load(t, `
network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name = "br0"
  }
}
network "mute" {
  address = "10.1.0.1/24"
  bridge {
    name = "br1"
  }
  dns {
    enabled = false
  }
}
resolver {
  rebind_protection = "private"
  rebind_allow      = ["fritz.box"]
  block {
    files  = ["/etc/labnet/ads.hosts"]
    allow  = ["good.example"]
    answer = "null"
  }
}`), "")
	wantRebind := dnsserver.Rebind{Policy: dnsserver.RebindPrivate, Own: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}, Allow: []string{"fritz.box"}}
	if diff := cmp.Diff(wantRebind, p.dns.Rebind, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	wantBlock := dnsserver.Block{Files: []string{"/etc/labnet/ads.hosts"}, Allow: []string{"good.example"}, Null: true}
	if diff := cmp.Diff(wantBlock, p.dns.Block); diff != "" {
		t.Error(diff)
	}
	for policy, want := range map[string]dnsserver.RebindPolicy{"own": dnsserver.RebindOwn, "private": dnsserver.RebindPrivate, "off": dnsserver.RebindOff} {
		if got := rebindPolicy(policy); got != want {
			t.Errorf("%s: %d, want %d", policy, got, want)
		}
	}
}
