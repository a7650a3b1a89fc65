package migrate

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() []Lease {
	at := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	return []Lease{
		{
			Addr: at("192.0.2.10"), HWType: 1, HWAddr: "RT\x00\x00\x00\x01", ClientID: "\xff\x00\"\\\n", Name: "vm1", Hostname: "VM1.example.org", VendorClass: "a \"b\"",
			State: Active, Start: utc("2030-01-01 00:00:00"), Seen: utc("2030-01-01 12:00:00"), Expiry: utc("2030-01-02 00:00:00"),
		},
		{Addr: at("192.0.2.11"), HWType: 1, HWAddr: "RT\x00\x00\x00\x02", State: Active, Start: utc("2030-01-01 00:00:00"), Seen: utc("2030-01-01 12:00:00")},
		{Addr: at("192.0.2.12"), HWType: 6, HWAddr: "\x01\x02", State: Active, Start: utc("2030-01-01 00:00:00"), Seen: utc("2030-01-01 00:00:00"), Expiry: utc("2030-01-02 00:00:00")},
		{Addr: at("192.0.2.13"), HWType: 1, HWAddr: "RT\x00\x00\x00\x03", State: Released, Start: utc("2030-01-01 00:00:00"), Seen: utc("2030-01-01 00:00:00"), Expiry: utc("2030-01-02 00:00:00")},
		{Addr: at("192.0.2.14"), HWType: 1, HWAddr: "RT\x00\x00\x00\x04", Foreign: true, State: Declined, Start: utc("2030-01-01 00:00:00"), Seen: utc("2030-01-01 00:00:00"), Expiry: utc("2030-01-02 00:00:00")},
		{Addr: at("192.0.2.15"), HWType: 1, HWAddr: "RT\x00\x00\x00\x05", ClientID: "\x01", State: Expired, Start: utc("2030-01-01 00:00:00"), Seen: utc("2030-01-01 00:00:00"), Expiry: utc("2030-01-02 00:00:00")},
	}
}

// TestWrite is the text of each format, and what is left of the leases when it is read again.
func TestWrite(t *testing.T) {
	for _, test := range []struct {
		format  Format
		omitted int
		text    string
		lost    func(l *Lease) bool // makes of a lease what the format keeps of it, or says that it keeps nothing
	}{
		{
			Dnsmasq, 3, "1893542400 52:54:00:00:00:01 192.0.2.10 vm1 ff:00:22:5c:0a\n0 52:54:00:00:00:02 192.0.2.11 * *\n1893542400 06-01:02 192.0.2.12 * *\n",
			func(l *Lease) bool {
				l.Hostname, l.VendorClass, l.Start, l.Seen = l.Name, "", time.Time{}, time.Time{}
				return l.State != Active
			},
		},
		{
			Libvirt, 3, `[
    {
        "ip-address": "192.0.2.10",
        "mac-address": "52:54:00:00:00:01",
        "hostname": "vm1",
        "client-id": "ff:00:22:5c:0a",
        "expiry-time": 1893542400
    },
    {
        "ip-address": "192.0.2.11",
        "mac-address": "52:54:00:00:00:02",
        "expiry-time": 0
    },
    {
        "ip-address": "192.0.2.12",
        "mac-address": "06-01:02",
        "expiry-time": 1893542400
    }
]
`,
			func(l *Lease) bool {
				l.Hostname, l.VendorClass, l.Start, l.Seen = l.Name, "", time.Time{}, time.Time{}
				return l.State != Active
			},
		},
		{
			Kea, 1, keaColumns + `
192.0.2.10,52:54:00:00:00:01,ff:00:22:5c:0a,43200,1893542400,7,0,0,vm1,0,
192.0.2.11,52:54:00:00:00:02,,4294967295,6188466495,7,0,0,,0,
192.0.2.13,52:54:00:00:00:03,,86400,1893542400,7,0,0,,2,
192.0.2.14,,,86400,1893542400,7,0,0,,1,
192.0.2.15,52:54:00:00:00:05,,86400,1893542400,7,0,0,,2,
`,
			func(l *Lease) bool {
				l.Hostname, l.VendorClass, l.Start, l.Foreign = l.Name, "", time.Time{}, false
				if l.State == Released {
					l.State = Expired
				}
				if l.State == Declined {
					l.HWAddr = ""
				}
				if len(l.ClientID) < 2 {
					l.ClientID = ""
				}
				return l.HWType != 1
			},
		},
		{
			ISC, 0, `# Leases as labnet had them, for ISC dhcpd.

lease 192.0.2.10 {
  starts 2 2030/01/01 00:00:00;
  ends 3 2030/01/02 00:00:00;
  cltt 2 2030/01/01 12:00:00;
  binding state active;
  next binding state free;
  hardware ethernet 52:54:00:00:00:01;
  uid "\377\000\"\\\012";
  set vendor-class-identifier = "a \"b\"";
  client-hostname "VM1.example.org";
}
`,
			func(l *Lease) bool {
				l.Name, l.Foreign = l.Hostname, false
				if l.State == Released {
					l.State = Expired
				}
				if l.State == Declined {
					l.HWAddr = ""
				}
				return false
			},
		},
	} {
		t.Run(string(test.format), func(t *testing.T) {
			var text bytes.Buffer
			omitted, err := Write(&text, sample(), Target{Format: test.format, Subnet: func(*Lease) uint32 { return 7 }})
			if err != nil || omitted != test.omitted {
				t.Errorf("%d omitted, %v", omitted, err)
			}
			if !strings.HasPrefix(text.String(), test.text) {
				t.Errorf("(-want +got):\n%s", cmp.Diff(test.text, text.String()))
			}
			var want []Lease
			for _, l := range sample() {
				if !test.lost(&l) {
					want = append(want, l)
				}
			}
			got := read(&text, Auto)
			for i := range got.leases {
				got.leases[i].File, got.leases[i].Line = "", 0
			}
			if diff := cmp.Diff(want, got.leases, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" || got.lines != nil || got.format != test.format {
				t.Errorf("%s, %v; leases (-want +got):\n%s", got.format, got.lines, diff)
			}
		})
	}
}

func TestWriteNothing(t *testing.T) {
	for _, f := range []Format{Dnsmasq, Kea, ISC, Libvirt} {
		var text bytes.Buffer
		if omitted, err := Write(&text, nil, Target{Format: f}); omitted != 0 || err != nil {
			t.Errorf("%s: %d, %v", f, omitted, err)
		}
		if got := read(&text, f); got.err != nil || len(got.leases)+len(got.lines) != 0 {
			t.Errorf("%s: %+v", f, got)
		}
	}
	if _, err := Write(&bytes.Buffer{}, nil, Target{Format: JSON}); err == nil {
		t.Error("labnet's own JSON is not for this package to write")
	}
}

// FuzzRead feeds any bytes as each format: nothing panics, what is found lies within the file, and what can be written is read again.
func FuzzRead(f *testing.F) {
	names, err := filepath.Glob("testdata/*.*")
	if err != nil || len(names) != 5 {
		f.Fatalf("%v, %v", names, err)
	}
	for i, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, uint8(0))
		for n := range Formats {
			f.Add(text, uint8(n+1))
		}
		f.Add(text[:len(text)*(i+3)/9], uint8(0))
	}
	f.Add([]byte("lease 192.0.2.1 { { } } } lease lease lease { lease 192.0.2.2 {"), uint8(3))
	f.Add([]byte("lease \"\\x4\" { uid \"\\39\\0"), uint8(3))
	f.Add(bytes.Repeat([]byte("["), 20000), uint8(5))
	f.Fuzz(func(t *testing.T, text []byte, which uint8) {
		format := append([]Format{Auto}, Formats...)[int(which)%(1+len(Formats))]
		got := read(bytes.NewReader(text), format)
		lines := bytes.Count(text, []byte("\n")) + 1
		var writable []Lease
		for _, l := range got.leases {
			if !l.Addr.Is4() || l.Line < 1 || l.Line > lines || len(l.HWAddr) > maxHW || l.State == 0 || l.State == Removed {
				t.Fatalf("%+v", l)
			}
			if l.State == Active && l.HWType == 1 && l.HWAddr != "" && len(l.ClientID) != 1 {
				l.Name = ""
				if l.Seen.IsZero() {
					l.Seen = time.Unix(1700000000, 0).UTC()
				}
				writable = append(writable, l)
			}
		}
		for _, to := range []Format{Dnsmasq, Kea, ISC, Libvirt} {
			var out bytes.Buffer
			if omitted, err := Write(&out, writable, Target{Format: to}); omitted != 0 || err != nil {
				t.Fatalf("%s: %d omitted, %v", to, omitted, err)
			}
			again := read(&out, to)
			if len(again.leases) != len(writable) || len(again.lines) != 0 {
				t.Fatalf("%s: %d leases of %d are read again: %v\n%s", to, len(again.leases), len(writable), again.lines, out.String())
			}
			for i, l := range again.leases {
				w := writable[i]
				if l.Addr != w.Addr || l.HWAddr != w.HWAddr || l.ClientID != w.ClientID || to != Kea && !l.Expiry.Equal(w.Expiry) || to == ISC && l.Hostname != w.Hostname {
					t.Fatalf("%s: %+v is read again as %+v", to, w, l)
				}
			}
		}
	})
}
