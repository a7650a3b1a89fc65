package config

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// optionOf loads a file with one option block in the network's dhcp block.
func optionOf(t *testing.T, block string) (Option, *Diagnostics) {
	t.Helper()
	cfg, diags := loadText("network \"lab\" {\naddress = \"10.0.0.1/24\"\ndhcp {\noption " + block + "\n}\n}")
	if cfg == nil {
		return Option{}, diags
	}
	return cfg.Networks[0].DHCP.Options[0], diags
}

func TestOptionsOnTheWire(t *testing.T) {
	for _, c := range []struct{ block, want string }{
		{`"routers" { value = "10.0.0.1" }`, "3: 0a000001"},
		{`"ntp_servers" { value = ["10.0.0.1", "10.0.0.2"] }`, "42: 0a0000010a000002"},
		{`"time_offset" { value = -3600 }`, "2: fffff1f0"},
		{`"mtu" { value = 1400 }`, "26: 0578"},
		{`"ip_forwarding" { value = true }`, "19: 01"},
		{`"default_ip_ttl" { value = 64 }`, "23: 40"},
		{`"path_mtu_plateau_table" { value = [68, 1500] }`, "25: 004405dc"},
		{`"arp_cache_timeout" { value = "10m" }`, "35: 00000258"},
		{`"v6only" { value = "30m" }`, "108: 00000708"},
		{`"policy_filter" { value = "10.1.0.0 255.255.0.0" }`, "21: 0a010000ffff0000"},
		{`"static_routes" { value = ["10.1.0.5 10.0.0.2"] }`, "33: 0a0100050a000002"},
		{`"vendor_specific" { value = "01:02:ff" }`, "43: 0102ff"},
		{`"bootfile_name" { value = "pxelinux.0" }`, "67: 7078656c696e75782e30"},
		{`"tftp_server_name" { value = "a" }`, "66: 61"},
		{`"domain_name" { value = "Corp.Example." }`, "15: " + hex.EncodeToString([]byte("corp.example"))},
		{`"captive_portal" { value = "https://p.example/api" }`, "114: " + hex.EncodeToString([]byte("https://p.example/api"))},
		{`"tftp_servers" { value = "10.0.0.3" }`, "150: 0a000003"},
		// RFC 3397 section 2's example.
		{
			`"domain_search" { value = ["eng.apple.com", "marketing.apple.com"] }`,
			"119: " + hex.EncodeToString([]byte("\x03eng\x05apple\x03com\x00\x09marketing\xc0\x04")),
		},
		// RFC 3442's table of descriptors: only the significant bytes.
		{`"classless_routes" { value = ["10.0.0.0/8 via 10.0.0.2"] }`, "121: 080a0a000002"},
		{`"classless_routes" { value = ["10.27.129.0/24 via 10.0.0.2"] }`, "121: 180a1b810a000002"},
		{`"classless_routes" { value = ["10.229.0.128/25 via 10.0.0.2"] }`, "121: 190ae500800a000002"},
		{`"classless_routes" { value = ["10.198.122.47 via 0.0.0.0"] }`, "121: 200ac67a2f00000000"},
		{`"classless_routes" { value = ["0.0.0.0/0 via 10.0.0.9", "10.17.0.0/16 via 10.0.0.2"] }`, "121: 000a000009" + "100a110a000002"},
		{"\"a\" {\ncode = 224\ntype = \"u8\"\nvalue = 255\n}", "224: ff"},
		{"\"a\" {\ncode = 224\ntype = \"u16\"\nvalue = 256\n}", "224: 0100"},
		{"\"a\" {\ncode = 224\ntype = \"u32\"\nvalue = 4294967295\n}", "224: ffffffff"},
		{"\"a\" {\ncode = 224\ntype = \"bool\"\nvalue = false\n}", "224: 00"},
		{"\"a\" {\ncode = 224\ntype = \"ip\"\nvalue = \"192.0.2.1\"\n}", "224: c0000201"},
		{"\"a\" {\ncode = 224\ntype = \"ip_list\"\nvalue = [\"192.0.2.1\", \"192.0.2.2\"]\n}", "224: c0000201c0000202"},
		{"\"a\" {\ncode = 224\ntype = \"hex\"\nvalue = \"00ff\"\n}", "224: 00ff"},
		{"\"a\" {\ncode = 224\ntype = \"text\"\nvalue = \"é\"\n}", "224: c3a9"},
		{fmt.Sprintf("%q {\ncode = 224\ntype = \"text\"\nvalue = %q\n}", "long", strings.Repeat("x", 600)), "224: " + strings.Repeat("78", 600)},
	} {
		got, diags := optionOf(t, c.block)
		if len(diags.All()) > 0 {
			t.Errorf("%s\n%s", c.block, textOf(t, diags))
			continue
		}
		if text := fmt.Sprintf("%d: %x", got.Code, got.Data); text != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.block, text, c.want)
		}
	}
}

func TestOptionsThatAreRefused(t *testing.T) {
	for _, block := range []string{
		`"ntp_servers" { value = [] }`,
		`"ntp_servers" { value = null }`,
		`"ntp_servers" { value = ["10.0.0.1", null] }`,
		`"ntp_servers" { value = { a = "10.0.0.1" } }`,
		`"ntp_servers" { value = "2001:db8::1" }`,
		`"root_path" { value = "" }`,
		`"root_path" { value = "a\nb" }`,
		`"mtu" { value = 67 }`,
		`"mtu" { value = 65536 }`,
		`"time_offset" { value = 2147483648 }`,
		`"ip_forwarding" { value = 1 }`,
		`"vendor_specific" { value = "" }`,
		`"static_routes" { value = "0.0.0.0 10.0.0.2" }`,
		`"classless_routes" { value = "10.0.0.0/8" }`,
		`"domain_search" { value = "a..b" }`,
		`"lease_time" { value = 5 }`,
		`"Subnet-Mask" { value = "255.255.255.0" }`,
		fmt.Sprintf(`"root_path" { value = %q }`, strings.Repeat("x", maxOptionData+1)),
	} {
		if got, diags := optionOf(t, block); !diags.HasErrors() {
			t.Errorf("%s: accepted as %x", block, got.Data)
		}
	}
	for code := range 256 {
		_, owned := ownedCodes(uint8(code))
		_, diags := optionOf(t, fmt.Sprintf("\"x\" {\ncode = %d\ntype = \"hex\"\nvalue = \"00\"\n}", code))
		if owned != diags.HasErrors() {
			t.Errorf("code %d: owned %v, refused %v", code, owned, diags.HasErrors())
		}
	}
}

func TestOptionTableIsSound(t *testing.T) {
	codes, names := map[uint8]bool{}, map[string]bool{}
	for _, def := range optionTable() {
		if codes[def.code] || names[def.name] {
			t.Errorf("%d %s is there twice", def.code, def.name)
		}
		codes[def.code], names[def.name] = true, true
		if reason, owned := ownedCodes(def.code); owned {
			t.Errorf("%d %s can't be set: %s", def.code, def.name, reason)
		}
		if def.doc == "" {
			t.Errorf("%s is not explained", def.name)
		}
		if def.dnsmasq != "" && !strings.Contains(optionHint(def.dnsmasq), def.name) {
			t.Errorf("%s, as dnsmasq calls it, suggests %s", def.dnsmasq, optionHint(def.dnsmasq))
		}
	}
}
