package main

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"labnet/internal/control"
)

func exampleHistory() []control.Tenancy {
	one := func(name, mac, state, since, until string) control.Tenancy {
		t := control.Tenancy{
			Network: "lab", Address: netip.MustParseAddr("10.0.0.57"), MAC: mac, ClientID: "01:" + mac, Name: name, State: state, Since: at(since),
		}
		if until != "" {
			t.Until = at(until)
		}
		return t
	}
	bound := one("builder", "52:54:00:00:00:03", "bound", "2030-01-02T11:00:00Z", "")
	bound.Expires = at("2030-01-02T14:00:00Z")
	edited := one("\x1b[31m", "=1+1", "\u009b2J", "2030-01-01T00:00:00Z", "2030-01-01T00:00:01Z")
	edited.Address = netip.Addr{}
	return []control.Tenancy{
		edited,
		one("web", "52:54:00:00:00:01", "changed", "2030-01-01T10:00:00Z", "2030-01-01T11:30:00Z"),
		one("", "52:54:00:00:00:01", "released", "2030-01-01T11:30:00Z", "2030-01-02T01:02:03Z"),
		bound,
		one("for-ever", "52:54:00:00:00:04", "bound", "2030-01-02T11:00:00Z", ""),
	}
}

func TestHistoryIsWritten(t *testing.T) {
	zone := time.FixedZone("there", 2*60*60)
	for _, out := range listFormats {
		t.Run(out, func(t *testing.T) {
			var text bytes.Buffer
			if err := writeList(&text, format(out), asRead(exampleHistory(), nil), tenancyView(zone)); err != nil {
				t.Fatal(err)
			}
			harmless(t, text.String())
			golden(t, "history-"+out, text.String())
		})
	}
}

func TestHistoryIsAskedFor(t *testing.T) {
	zone := time.Local
	time.Local = time.FixedZone("there", 2*60*60)
	defer func() { time.Local = zone }()
	prefix := netip.MustParsePrefix
	for _, c := range []struct {
		name string
		args []string
		want control.HistoryQuery
		fail string // what the error says
	}{
		{name: "everything"},
		{name: "an address", args: []string{"10.0.0.57"}, want: control.HistoryQuery{Addresses: prefix("10.0.0.57/32")}},
		{name: "a prefix", args: []string{"--addr", "10.0.0.57/28"}, want: control.HistoryQuery{Addresses: prefix("10.0.0.48/28")}},
		{name: "a MAC", args: []string{"52-54-00-00-00-0A"}, want: control.HistoryQuery{Client: "52:54:00:00:00:0a"}},
		{name: "a client id", args: []string{"--mac", "mac:52:54:00:00:00:0a"}, want: control.HistoryQuery{Client: "mac:52:54:00:00:00:0a"}},
		{name: "a name", args: []string{"Web", "--network", "dmz"}, want: control.HistoryQuery{Name: "web", Network: "dmz"}},
		{name: "a pattern", args: []string{"--name", "web*"}, want: control.HistoryQuery{Name: "web*"}},
		{name: "with its domain", args: []string{"web.dmz.internal."}, want: control.HistoryQuery{Name: "web", Network: "dmz"}},
		{name: "a time", args: []string{"--at", "2026-03-01 14:00"}, want: control.HistoryQuery{Since: at("2026-03-01T12:00:00Z"), Until: at("2026-03-01T12:00:01Z")}},
		{
			name: "two times", args: []string{"--since", "2026-03-01", "--until", "2026-03-02T10:00:00+01:00"},
			want: control.HistoryQuery{Since: at("2026-02-28T22:00:00Z"), Until: at("2026-03-02T09:00:00Z")},
		},
		{name: "with another domain", args: []string{"web.example.org"}, fail: `no network has the domain "example.org"`},
		{name: "in the domain of another network", args: []string{"web.dmz.internal", "--network", "lab"}, fail: "no network has the domain"},
		{name: "no such network", args: []string{"--network", "none"}, fail: "there is no network"},
		{name: "two addresses", args: []string{"10.0.0.57", "--addr", "10.0.0.58"}, fail: "give one of them"},
		{name: "half an address", args: []string{"--addr", "10.0.0"}, fail: "--addr: "},
		{name: "no MAC", args: []string{"--mac", "web"}, fail: "neither a MAC"},
		{name: "no time", args: []string{"--since", "yesterday"}, fail: `--since: "yesterday" is no time`},
		{name: "a time to come", args: []string{"--at", "2999-01-01"}, fail: "in the future"},
		{name: "a time and a span", args: []string{"--at", "24h", "--since", "48h"}, fail: "none of the others can be"},
		{name: "backwards", args: []string{"--since", "24h", "--until", "48h"}, fail: "ends before it begins"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{}
			if c.fail == "" {
				f.past = exampleHistory()
			}
			got := ask(t, f, append([]string{"leases", "history", "-o", "json"}, c.args...)...)
			if c.fail != "" {
				if got.Code == exitDone || !strings.Contains(got.ErrOut, c.fail) {
					t.Errorf("%+v, want %q", got, c.fail)
				}
				return
			}
			if got.Code != exitDone {
				t.Fatalf("%+v", got)
			}
			same := []cmp.Option{cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
			if diff := cmp.Diff(c.want, f.wanted, same...); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHistoryWithoutADaemon(t *testing.T) {
	dir := t.TempDir()
	history := func(args ...string) result {
		return labnet(t, nil, append([]string{"leases", "history", "--socket", filepath.Join(dir, "none"), "-c", "none", "--state-dir", dir}, args...)...)
	}
	if got := history(); got.Code != exitFailed || !strings.Contains(got.ErrOut, "no labnet daemon answers") {
		t.Errorf("without a database: %+v", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "leases.db"), []byte("what?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := history(); got.Code != exitFailed || !strings.Contains(got.ErrOut, "not an SQLite file") {
		t.Errorf("with another file: %+v", got)
	}
	if got := history("web.lab.internal"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "only the first label") {
		t.Errorf("by a domain that nobody knows: %+v", got)
	}
}

func TestTimesAreRead(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		zone = time.FixedZone("Berlin in winter", 60*60)
	}
	now := at("2026-03-10T12:00:00Z")
	for in, want := range map[string]string{
		"2026-03-01":                "2026-02-28T23:00:00Z",
		"2026-03-01 14:00":          "2026-03-01T13:00:00Z",
		"2026-03-01 14:00:05":       "2026-03-01T13:00:05Z",
		"2026-03-01T14:00":          "2026-03-01T13:00:00Z",
		" 2026-03-01T14:00:05 ":     "2026-03-01T13:00:05Z",
		"2026-03-01T14:00:00Z":      "2026-03-01T14:00:00Z",
		"2026-03-01T14:00:00-05:00": "2026-03-01T19:00:00Z",
		"24h":                       "2026-03-09T12:00:00Z",
		"7d":                        "2026-03-03T12:00:00Z",
		"1w1d":                      "2026-03-02T12:00:00Z",
		"1h30m":                     "2026-03-10T10:30:00Z",
		"0s":                        "2026-03-10T12:00:00Z",
		"":                          "", "h": "", "5": "", "-5h": "", "5y": "", "1.5h": "", "99999999999w": "", "4294967295w": "", "2026-13-01": "", "2026-3-1": "",
	} {
		got, err := parseTime(in, now, zone)
		if want == "" {
			if err == nil {
				t.Errorf("%q is read as %v", in, got)
			}
			continue
		}
		if err != nil || !got.Equal(at(want)) {
			t.Errorf("%q is read as %v, %v; want %s", in, got, err, want)
		}
	}
}
