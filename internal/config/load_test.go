package config

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var compareNetip = cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}, netip.AddrPort{})

// loadText loads a text as if it were a file.
func loadText(text string) (*Config, *Diagnostics) {
	return load([]source{{"test.hcl", []byte(text)}}, newDiagnostics(), nil)
}

// mustLoad loads a text that has nothing wrong.
func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	cfg, diags := loadText(text)
	if len(diags.All()) > 0 {
		t.Fatalf("unexpected:\n%s", textOf(t, diags))
	}
	return cfg
}

func textOf(t *testing.T, d *Diagnostics) string {
	t.Helper()
	var b bytes.Buffer
	if err := d.WriteText(&b, false, 100); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestOneBlockIsEnough(t *testing.T) {
	got := mustLoad(t, `network "lab" { address = "10.0.0.1/24" }`)
	want := &Config{
		Daemon: Daemon{StateDir: "/var/lib/labnet", RunDir: "/run/labnet", LogLevel: "info", LogFormat: "auto", LeaseHistory: 90 * 24 * time.Hour},
		Networks: []Network{{
			Name:       "lab",
			Mode:       "routed",
			HostAccess: "all",
			Address:    netip.MustParsePrefix("10.0.0.1/24"),
			Bridge:     Bridge{Name: "br0", MTU: 1500, Guard: "subnet"},
			Uplink:     Uplink{Interface: "auto", Masquerade: true},
			DHCP: DHCP{
				Enabled: true, LeaseTime: 12 * time.Hour, Identity: "auto", Authoritative: true, ConflictProbe: true, UnknownClients: "serve",
				Ranges: []AddrRange{{addr("10.0.0.2"), addr("10.0.0.254")}},
			},
			DNS:   DNS{Enabled: true, Domain: "lab.internal", NameConflict: "first_wins"},
			Range: Range{File: "test.hcl", Line: 1},
		}},
		Resolver: Resolver{CacheSize: 64 << 20, ServeStale: time.Hour, Rebind: "own"},
	}
	if diff := cmp.Diff(want, got, compareNetip); diff != "" {
		t.Error(diff)
	}
}

func TestEverythingArrives(t *testing.T) {
	got, diags := loadExample(t, "../../examples/full.hcl")
	if len(diags.All()) > 0 {
		t.Fatal(textOf(t, diags))
	}
	n := got.Networks[0]
	n.Range = Range{}
	want := Network{
		Name:       "lab",
		Mode:       "routed",
		HostAccess: "all",
		Address:    netip.MustParsePrefix("10.0.0.1/24"),
		Bridge:     Bridge{Name: "br0", MTU: 1500, Attach: []string{"tap-lab*"}, Guard: "subnet"},
		Uplink:     Uplink{Interface: "auto", Masquerade: true},
		DHCP: DHCP{
			Enabled: true, LeaseTime: 12 * time.Hour, Identity: "auto", Authoritative: true, ConflictProbe: true, UnknownClients: "serve",
			Ranges: []AddrRange{{addr("10.0.0.100"), addr("10.0.0.149")}, {addr("10.0.0.200"), addr("10.0.0.249")}},
			Relays: []netip.Addr{addr("10.0.0.5"), addr("192.0.2.7")},
			Boot:   Boot{NextServer: addr("10.0.0.10"), ServerName: "builder"},
			Options: []Option{
				{Name: "ntp_servers", Code: 42, Data: []byte{10, 0, 0, 1}},
				{Name: "domain_search", Code: 119, Data: []byte("\x03lab\x08internal\x00\x04corp\x07example\x03com\x00")},
				{Name: "classless_routes", Code: 121, Data: []byte{16, 10, 1, 10, 0, 0, 10}},
				{Name: "wpad", Code: 252, Data: []byte("http://10.0.0.10/wpad.dat"), Always: true},
			},
			Classes: []Class{
				{Name: "pxe-bios", VendorClasses: []string{"PXEClient*"}, Architectures: []uint16{0}, Boot: Boot{File: "undionly.kpxe"}},
				{Name: "pxe-uefi", VendorClasses: []string{"PXEClient*"}, Architectures: []uint16{7, 9, 11}, Boot: Boot{File: "ipxe.efi"}},
				{Name: "ipxe", UserClasses: []string{"iPXE"}, Boot: Boot{File: "http://10.0.0.10/boot.ipxe"}},
				{
					Name: "phones", MACPrefixes: []string{"\x00\x1b\x54", "\x00\x1e\xf7"}, LeaseTime: time.Hour,
					Boot:    Boot{NextServer: addr("10.0.0.12"), ServerName: "phones.example.org"},
					Options: []Option{{Name: "tftp_servers", Code: 150, Data: []byte{10, 0, 0, 12}}},
				},
			},
		},
		DNS: DNS{
			Enabled: true, Domain: "lab.internal", NameConflict: "first_wins", Clients: []netip.Prefix{netip.MustParsePrefix("192.168.1.0/24")},
			Records: []Record{
				{Name: "registry", Type: "CNAME", Values: []string{"builder.lab.internal."}, TTL: 5 * time.Minute},
				{Name: "@", Type: "MX", Values: []string{"10 mail.lab.internal.", "20 mail.example.org."}, TTL: 5 * time.Minute},
				{Name: "_ldap._tcp", Type: "SRV", Values: []string{"0 5 389 builder.lab.internal."}, TTL: 5 * time.Minute},
				{Name: "*.apps", Type: "A", Values: []string{"10.0.0.10"}, TTL: 5 * time.Minute},
				{Name: "about", Type: "TXT", Values: []string{`"text needs no quotes of its own; not even with \"these\""`}, TTL: 5 * time.Minute},
			},
		},
		Hosts: []Host{
			{
				Name: "builder", MAC: "\x52\x54\x00\x12\x34\x56", Address: addr("10.0.0.10"), Aliases: []string{"ci", "runner"},
				Boot:    Boot{File: "rescue.kpxe", NextServer: addr("10.0.0.12"), ServerName: "mail"},
				Options: []Option{{Name: "host_name", Code: 12, Data: []byte("builder")}},
			},
			{Name: "phone", ClientID: "phone-7", LeaseTime: Infinite},
			{Name: "camera", Hostname: "ipcam", Address: addr("10.0.0.11")},
			{Name: "mail", Address: addr("10.0.0.12")},
			{Name: "nas", MAC: "\x52\x54\x00\x12\x34\x57", Address: addr("10.0.0.13")},
		},
		TAPs: []TAP{
			{Name: "tap-builder", Owner: "root", Host: "builder", MAC: "\x52\x54\x00\x12\x34\x56", VnetHdr: true},
			{Name: "tap-team", Group: "root", MAC: "\x52\x54\x00\x12\x34\x60", MultiQueue: true, VnetHdr: true},
			{Name: "tap-nas", Host: "nas", MAC: "\x52\x54\x00\x12\x34\x57", VnetHdr: true},
		},
	}
	if diff := cmp.Diff(want, n, compareNetip); diff != "" {
		t.Error(diff)
	}
	wantResolver := Resolver{CacheSize: 64 << 20, ServeStale: time.Hour, Rebind: "private", RebindAllow: []string{"zen.spamhaus.org"}, Block: Block{
		Files: []string{"/etc/labnet/ads.hosts"}, Allow: []string{"good.example.com"}, Answer: "null",
	}, Upstreams: []Upstream{
		{Name: "default", Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53"), netip.MustParseAddrPort("198.51.100.53:5353")}},
		{Name: "corp", Domains: []string{"corp.example.com", "10.in-addr.arpa"}, Servers: []netip.AddrPort{netip.MustParseAddrPort("203.0.113.53:53")}},
	}}
	if diff := cmp.Diff(wantResolver, got.Resolver, compareNetip); diff != "" {
		t.Error(diff)
	}
	wantHooks := []Hook{
		{
			Name: "inventory", On: leaseEvents()[:4], Networks: []string{"lab"}, Timeout: 10 * time.Second,
			Command: []string{"/usr/local/bin/on-lease", "--add"}, User: "nobody",
		},
		{
			Name: "chat", On: []string{"lease.conflict", "lease.cleared"}, Timeout: 10 * time.Second, URL: "https://chat.example.org/hooks/lab",
			SecretFile: "/etc/labnet/chat.secret", TokenFile: "/etc/labnet/chat.token",
		},
	}
	if diff := cmp.Diff(API{Admins: []string{"netadmin"}}, got.API); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(wantHooks, got.Hooks); diff != "" {
		t.Error(diff)
	}
}

func TestAHookIsToldTheUsual(t *testing.T) {
	cfg := mustLoad(t, "network \"lab\" {\naddress = \"10.0.0.1/24\"\n}\nhook \"h\" {\ncommand = \"/bin/true\"\n}\n")
	want := []Hook{{
		Name: "h", On: []string{"lease.bound", "lease.released", "lease.expired", "lease.conflict"}, Timeout: 10 * time.Second, Command: []string{"/bin/true"},
	}}
	if diff := cmp.Diff(want, cfg.Hooks); diff != "" {
		t.Error(diff)
	}
}

// loadExample loads a file without looking for the lists that it names, which this machine hasn't.
func loadExample(t *testing.T, name string) (*Config, *Diagnostics) {
	t.Helper()
	text, err := readFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return load([]source{{name, text}}, newDiagnostics(), nil)
}

func TestExamplesLoad(t *testing.T) {
	names, err := filepath.Glob("../../examples/*.hcl")
	if err != nil || len(names) < 4 {
		t.Fatalf("found %v, %v", names, err)
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			if _, diags := loadExample(t, name); len(diags.All()) > 0 {
				t.Error(textOf(t, diags))
			}
			checkFormatted(t, name)
		})
	}
}

func checkFormatted(t *testing.T, name string) {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	formatted, _ := Format(src, name)
	if diff := cmp.Diff(string(formatted), string(src)); diff != "" {
		t.Errorf("not formatted: %s", diff)
	}
}

func TestStarterLoads(t *testing.T) {
	text, err := Starter("routed")
	if err != nil {
		t.Fatal(err)
	}
	cfg := mustLoad(t, string(text))
	if got := cfg.Networks[0].Name; got != "lab" {
		t.Errorf("network %q", got)
	}
	formatted, _ := Format(text, "starter.hcl")
	if diff := cmp.Diff(string(formatted), string(text)); diff != "" {
		t.Errorf("not formatted: %s", diff)
	}
	if _, err := Starter("isolated"); err == nil {
		t.Error("a starter for a mode that does not exist")
	}
	// What is commented out works as well when it is not.
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		rest := strings.TrimLeft(line, " ")
		if code, ok := strings.CutPrefix(rest, "# "); ok && strings.ContainsAny(code, "={}") {
			line = code
		}
		b.WriteString(line)
	}
	all := mustLoad(t, b.String())
	if len(all.Networks[0].Hosts) != 1 || len(all.Resolver.Upstreams) != 1 || len(all.Networks[0].DNS.Records) != 1 || len(all.Networks[0].DHCP.Options) != 1 {
		t.Errorf("the examples in comments did not all arrive: %+v", all)
	}
}

func TestBridgedStarterLoads(t *testing.T) {
	text, err := Starter("bridged")
	if err != nil {
		t.Fatal(err)
	}
	inherited := mustLoad(t, string(text)).Networks[0]
	want := Network{
		Name: "lan", Mode: "bridged", Range: inherited.Range,
		Bridge: Bridge{Name: "br0", Attach: []string{"tap-lan*"}}, Uplink: Uplink{Interface: "eth0"},
		Bridged: Bridged{Inherit: true, ConfirmWithin: 2 * time.Minute},
	}
	if diff := cmp.Diff(want, inherited, compareNetip); diff != "" {
		t.Error(diff)
	}
	formatted, _ := Format(text, "starter.hcl")
	if diff := cmp.Diff(string(formatted), string(text)); diff != "" {
		t.Errorf("not formatted: %s", diff)
	}
	static := strings.NewReplacer("  address = \"inherit\"\n", "", "# address = ", "address = ", "# gateway = ", "gateway = ").Replace(string(text))
	got := mustLoad(t, static).Networks[0]
	if got.Address != netip.MustParsePrefix("192.168.1.5/24") || got.Bridged != (Bridged{Gateway: addr("192.168.1.1"), ConfirmWithin: 2 * time.Minute}) {
		t.Errorf("the address in comments didn't arrive: %+v", got)
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("20-hosts.hcl", `host "b" {
  network = "lab"
  address = cidrhost(local.lab, 7)
}`)
	write("10-lab.hcl", `locals { lab = "10.0.0.0/24" }
network "lab" { address = "${cidrhost(local.lab, 1)}/24" }`)
	write("30-more.hcl.json", `{"host": {"c": {"network": "lab", "address": "10.0.0.8"}}}`)
	write(".#20-hosts.hcl", `garbage {`)
	write("notes.txt", `garbage {`)
	cfg, diags := Load(dir)
	if len(diags.All()) > 0 {
		t.Fatal(textOf(t, diags))
	}
	var hosts []string
	for _, h := range cfg.Networks[0].Hosts {
		hosts = append(hosts, h.Name+" "+h.Address.String())
	}
	if diff := cmp.Diff([]string{"b 10.0.0.7", "c 10.0.0.8"}, hosts); diff != "" {
		t.Error(diff)
	}

	write("40-again.hcl", "\nnetwork \"lab\" { address = \"10.0.1.1/24\" }\n")
	_, diags = Load(dir)
	got := diags.All()
	if len(got) == 0 || got[0].Summary != `a second network "lab"` || filepath.Base(got[0].File) != "40-again.hcl" || got[0].Line != 2 ||
		len(got[0].Related) != 1 || filepath.Base(got[0].Related[0].File) != "10-lab.hcl" {
		t.Errorf("the same block in two files: %+v", got)
	}
}

func TestNoFileIsARefusal(t *testing.T) {
	empty := t.TempDir()
	fifo := filepath.Join(t.TempDir(), "labnet.hcl")
	if err := os.WriteFile(fifo, make([]byte, maxFileSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, summary, detail string }{
		{"missing file", filepath.Join(empty, "labnet.hcl"), "no such file", "labnet init routed"},
		{"empty directory", empty, "there is no configuration in this directory", "labnet init routed"},
		{"device", "/dev/zero", "not an ordinary file", ""},
		{"huge", fifo, "too many", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, diags := Load(c.path)
			if cfg != nil || !diags.HasErrors() {
				t.Fatal("loaded")
			}
			got := diags.All()[0]
			if !strings.Contains(got.Summary, c.summary) || !strings.Contains(got.Detail, c.detail) || got.File != c.path {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestJSONSyntax(t *testing.T) {
	text := `{
  "//": "a comment",
  "locals": {"lab": "10.0.0.0/24"},
  "network": {"lab": {
    "address": "${cidrhost(local.lab, 1)}/24",
    "dhcp": {"lease_time": "1h", "range": [
      {"start": "10.0.0.10", "end": "10.0.0.20"},
      {"start": "10.0.0.30", "end": "10.0.0.40"}
    ]},
    "host": {"a": {"address": "10.0.0.5", "aliases": ["b"]}}
  }}
}`
	cfg, diags := load([]source{{"labnet.json", []byte(text)}}, newDiagnostics(), nil)
	if len(diags.All()) > 0 {
		t.Fatal(textOf(t, diags))
	}
	n := cfg.Networks[0]
	if n.DHCP.LeaseTime != time.Hour || len(n.DHCP.Ranges) != 2 || len(n.Hosts) != 1 || n.Hosts[0].Aliases[0] != "b" {
		t.Errorf("got %+v", n)
	}
}

func TestDefaultRangeLeavesTheGatewayOut(t *testing.T) {
	for _, c := range []struct {
		address string
		want    []AddrRange
	}{
		{"10.0.0.1/24", []AddrRange{{addr("10.0.0.2"), addr("10.0.0.254")}}},
		{"10.0.0.254/24", []AddrRange{{addr("10.0.0.1"), addr("10.0.0.253")}}},
		{"10.0.0.100/24", []AddrRange{{addr("10.0.0.1"), addr("10.0.0.99")}, {addr("10.0.0.101"), addr("10.0.0.254")}}},
		{"10.0.0.1/30", []AddrRange{{addr("10.0.0.2"), addr("10.0.0.2")}}},
		{"10.0.0.2/30", []AddrRange{{addr("10.0.0.1"), addr("10.0.0.1")}}},
	} {
		got := mustLoad(t, `network "lab" { address = "`+c.address+`" }`).Networks[0].DHCP.Ranges
		if diff := cmp.Diff(c.want, got, compareNetip); diff != "" {
			t.Errorf("%s: %s", c.address, diff)
		}
	}
}

func TestExpressions(t *testing.T) {
	t.Setenv("LABNET_TEST_NET", "10.7.0.0/16")
	cfg := mustLoad(t, `
locals {
  gateway = cidrhost(local.lab, 1)
  lab     = cidrsubnet(env("LABNET_TEST_NET"), 8, 3)
  names   = ["a", "b"]
  upper   = env("LABNET_TEST_UNSET", "fallback")
}
network "lab" {
  address = "${local.gateway}/24"
  host "x" {
    address = cidrhost(local.lab, 9)
    aliases = [for n in local.names : "${n}-${local.upper}"]
  }
}`)
	n := cfg.Networks[0]
	if n.Address.String() != "10.7.3.1/24" {
		t.Errorf("address %s", n.Address)
	}
	if diff := cmp.Diff([]string{"a-fallback", "b-fallback"}, n.Hosts[0].Aliases); diff != "" {
		t.Error(diff)
	}
}

func TestFormat(t *testing.T) {
	got, diags := Format([]byte("network \"lab\" {\naddress=\"10.0.0.1/24\"\n  mode   = \"routed\"\n}\n\n\n"), "x.hcl")
	if diags.HasErrors() {
		t.Fatal(textOf(t, diags))
	}
	want := "network \"lab\" {\n  address = \"10.0.0.1/24\"\n  mode    = \"routed\"\n}\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
	for name, text := range map[string]string{"x.hcl": "network {", "x.json": "{}"} {
		if got, diags := Format([]byte(text), name); got != nil || !diags.HasErrors() {
			t.Errorf("%s: formatted %q", name, got)
		}
	}
}

func TestQueryLog(t *testing.T) {
	for argument, want := range map[string]bool{"query_log = true": true, "query_log = false": false, "": false} {
		cfg := mustLoad(t, `network "lab" {
			address = "10.0.0.1/24"
			dns { `+argument+` }
		}`)
		if cfg.Networks[0].DNS.QueryLog != want {
			t.Errorf("%s: %+v", argument, cfg.Networks[0].DNS)
		}
	}
}
