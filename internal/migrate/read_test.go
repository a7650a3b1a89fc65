package migrate

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// found is what Read finds in a text, in lines.
type found struct {
	format  Format
	leases  []Lease
	lines   []string
	skipped int
	err     error
}

func read(in io.Reader, f Format) (got found) {
	var latest Latest
	got.format, got.err = Read(in, "f", f, Sink{
		Lease: latest.Add,
		Problem: func(p Problem) {
			got.lines = append(got.lines, fmt.Sprintf("%d: %s: %s", p.Line, p.Addr, p.Reason))
		},
		Skipped: func() { got.skipped++ },
	})
	got.leases = latest.Leases()
	return got
}

func utc(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.DateTime, s)
	if err != nil {
		panic(err)
	}
	return t
}

// brief is a lease in short.
func brief(l Lease) string {
	day := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.UTC().Format("2006-01-02T15:04:05")
	}
	foreign := ""
	if l.Foreign {
		foreign = " foreign"
	}
	return fmt.Sprintf("%d %v hw%d %s id=%s %q %q %q %d%s %s %s %s", l.Line, l.Addr, l.HWType, colonHex(l.HWAddr), colonHex(l.ClientID), l.Name, l.Hostname, l.VendorClass,
		l.State, foreign, day(l.Start), day(l.Seen), day(l.Expiry))
}

func TestRead(t *testing.T) {
	for _, test := range []struct {
		file, as string
		format   Format
		leases   []string
		problems []string
		skipped  int
	}{
		{
			file: "dnsmasq.leases", format: Dnsmasq,
			leases: []string{
				`1 192.0.2.10 hw1 52:54:00:00:00:01 id=01:52:54:00:00:00:01 "vm1" "vm1" "" 1 - - 2030-03-17T17:46:40`,
				`2 192.0.2.11 hw1 52:54:00:00:00:02 id=ff:00:00:00:2a:00:01:00:01 "" "" "" 1 - - -`,
				`3 192.0.2.12 hw6 52:54:00:00:00:03 id= "token" "token" "" 1 - - 2030-03-17T17:46:41`,
				`4 192.0.2.13 hw32  id=00:01:02 "" "" "" 1 - - 2030-03-17T17:46:42`,
			},
			problems: []string{
				"5: : want five fields, not 3: expiry, hardware address, address, name, client identifier",
				`6: : "192.0.2.300" is no IPv4 address`,
				`7: 192.0.2.14: "52:54:zz" is no hardware address`,
				"8: 192.0.2.15: the expiry 43200 is no time that a server can have written; dnsmasq on machines without a clock writes none",
				"9: 192.0.2.16: neither a hardware address nor a client identifier says whose lease it is",
				`10: 192.0.2.17: the expiry "99999999999999999999" is no number`,
				`11: 192.0.2.17: the client identifier "0x12" is not bytes in hexadecimal with colons between them`,
			},
			skipped: 2,
		},
		{
			file: "kea-leases4.csv", format: Kea,
			leases: []string{
				`3 192.0.2.10 hw1 52:54:00:00:00:01 id=01:52:54:00:00:00:01 "vm1.example.org" "vm1.example.org" "" 1 - 2030-03-17T17:46:40 2030-03-17T18:46:40`,
				`4 192.0.2.11 hw1 52:54:00:00:00:02 id= "a,b&#x2c&#xzz" "a,b&#x2c&#xzz" "" 1 - 2030-03-17T17:46:40 -`,
				`5 192.0.2.12 hw1  id= "" "" "" 4 - 2030-03-17T17:46:40 2030-03-18T17:46:40`,
				`6 192.0.2.13 hw1 52:54:00:00:00:03 id= "vm3" "vm3" "" 3 - 2030-03-17T16:46:40 2030-03-17T17:46:40`,
				`15 192.0.2.20 hw1 52:54:00:00:00:09 id= "" "" "" 1 - 2030-03-17T16:46:40 2030-03-17T17:46:40`,
			},
			problems: []string{
				"9: 192.0.2.15: want 11 columns, not 2",
				`10: 192.0.2.16: expire "soon" is no time`,
				`11: 192.0.2.17: state "7" is unknown`,
				`12: 192.0.2.18: valid_lifetime "99999999999" is no number of seconds`,
				"13: 192.0.2.19: neither a hardware address nor a client identifier says whose lease it is",
			},
		},
		{
			file: "dhcpd.leases", format: ISC,
			leases: []string{
				`8 192.0.2.10 hw1 52:54:00:aa:00:03 id=00:67:75:65:73:74:2c:20:22:33:22:20:5c:20:7b:3b:0a:80 "vm1" "vm1" "moving van, \"4\"" 1 2026-11-27T19:04:57 2026-11-27T19:05:00 2026-11-27T20:04:57`,
				`28 192.0.2.11 hw32  id=01:aa:0b "" "" "" 1 2027-01-15T08:00:00 - -`,
				`30 192.0.2.12 hw1  id= "" "" "" 4 - - 2026-11-27T20:04:57`,
				`34 192.0.2.13 hw6 00:00:01:0a:0b:0c id= "" "" "" 3 - - 2026-11-27T20:04:57`,
				`61 192.0.2.19 hw77 01:02 id= "" "" "" 2 - - 2026-11-27T20:04:57`,
			},
			problems: []string{
				`47: 192.0.2.15: ends: no time as dhcpd writes it`,
				`52: 192.0.2.16: binding state "puzzled" is unknown`,
				`56: 192.0.2.17: a string doesn't end on its line`,
				`59: 192.0.2.18: another lease begins in the middle of it`,
				`67: nowhere: "nowhere" is no IPv4 address`,
				`68: 192.0.2.20: the file ends in the middle of the lease`,
			},
			skipped: 3,
		},
		{
			file: "virbr0.status", format: Libvirt,
			leases: []string{
				`2 192.0.2.10 hw1 52:54:00:00:00:01 id=ff:00:00:00:2a "vm1" "vm1" "" 1 - - 2030-03-17T17:46:40`,
				`9 192.0.2.11 hw1 52:54:00:00:00:02 id= "" "" "" 1 - - -`,
			},
			problems: []string{
				"22: 192.0.2.12: no expiry-time", "23: : ip-address can't be a number", "24: : want an object, not string",
			},
			skipped: 1,
		},
		{
			file: "labnet.json", format: JSON,
			leases: []string{
				`2 192.0.2.10 hw1 52:54:00:00:00:01 id=01:52:54:00:00:00:01 "vm-2" "VM" "MSFT 5.0" 1 2030-01-01T00:00:00 2030-01-01T12:00:00 2030-01-02T00:00:00`,
				`16 192.0.2.11 hw1 52:54:00:00:00:02 id= "" "" "" 2 - - 2030-01-02T00:00:00`,
				`17 192.0.2.12 hw1 52:54:00:00:00:03 id= "" "" "" 4 foreign - - 2030-01-02T00:00:00`,
				`18 192.0.2.13 hw32 01:02 id= "" "" "" 3 - - 2030-01-02T00:00:00`,
				`19 192.0.2.14 hw6 01:02 id=ff:01 "" "" "" 1 - - -`,
			},
			problems: []string{
				`20: 192.0.2.15: client_id "mac:01:03" is another machine's than mac`,
				`21: 192.0.2.16: client_id "hwx:01:02" has a hardware type that is none`,
				`22: 192.0.2.17: state "offered" is none of bound, declined, released and expired`,
				`24: 192.0.2.18: start "yesterday" is no time`,
			},
			skipped: 1,
		},
	} {
		t.Run(test.file, func(t *testing.T) {
			text, err := os.ReadFile("testdata/" + test.file)
			if err != nil {
				t.Fatal(err)
			}
			for name, in := range map[string]io.Reader{
				"whole": strings.NewReader(string(text)), "byte by byte": iotest.OneByteReader(strings.NewReader(string(text))),
				"for Windows": strings.NewReader(strings.ReplaceAll(string(text), "\n", "\r\n")),
			} {
				got := read(in, Auto)
				if got.err != nil || got.format != test.format || got.skipped != test.skipped {
					t.Errorf("%s: %s, %d skipped, %v", name, got.format, got.skipped, got.err)
				}
				var leases []string
				for _, l := range got.leases {
					leases = append(leases, brief(l))
				}
				if diff := cmp.Diff(test.leases, leases); diff != "" {
					t.Errorf("%s: leases (-want +got):\n%s", name, diff)
				}
				if diff := cmp.Diff(test.problems, got.lines); diff != "" {
					t.Errorf("%s: problems (-want +got):\n%s", name, diff)
				}
			}
		})
	}
}

// TestDetect is about the beginnings of files that TestRead doesn't have.
func TestDetect(t *testing.T) {
	for _, test := range []struct {
		name, text string
		want       Format
	}{
		{"empty", "", Dnsmasq},
		{"blank", "\n \n", Dnsmasq},
		{"dnsmasq with DHCPv6 only", "duid 00:01\n", Dnsmasq},
		{"an empty list", "[]", JSON},
		{"ndjson", `{"network":"lab","address":"192.0.2.1"}`, JSON},
		{"libvirt, short", ` [ {"mac-address" : "52:54:00:00:00:01"}]`, Libvirt},
		{"ISC without a comment", "lease 192.0.2.1 {\n", ISC},
		{"ISC of failover", "\nfailover peer \"x\" state {\n", ISC},
		{"text", "hello world\n", ""},
		{"a program", "\x7fELF\x02\x01", ""},
		{"CSV of labnet", "network,address,mac\n", ""},
	} {
		if got := detect([]byte(test.text)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestBrokenFiles(t *testing.T) {
	broken := errors.New("input/output error")
	for _, test := range []struct {
		name   string
		format Format
		in     io.Reader
		want   string
		err    error
	}{
		{"no format", Auto, strings.NewReader("hello\n"), "", ErrFormat},
		{"an unknown format", "yaml", strings.NewReader("hello\n"), "", ErrFormat},
		{"Kea of DHCPv6", Auto, strings.NewReader("address,duid,valid_lifetime,expire\n"), "", ErrFormat},
		{"Kea without a column", Kea, strings.NewReader("address,hwaddr,expire\n"), "", ErrFormat},
		{"a bad disk", Dnsmasq, io.MultiReader(strings.NewReader(strings.Repeat("\n", 1<<17)), iotest.ErrReader(broken)), "", broken},
		{"a bad disk under JSON", JSON, io.MultiReader(strings.NewReader("[\n"+strings.Repeat(" ", 1<<17)), iotest.ErrReader(broken)), "", broken},
		{"a bad disk under ISC", ISC, io.MultiReader(strings.NewReader("lease"+strings.Repeat("\n", 1<<17)), iotest.ErrReader(broken)), "", broken},
		{"a line without an end", Dnsmasq, strings.NewReader(strings.Repeat("x", 3<<20) + "\nx\n"), "1: : the line is longer than any that a server writes\n2: : want five fields, not 1: expiry, hardware address, address, name, client identifier", nil},
		{"an entry without an end", JSON, strings.NewReader("[\n{\"address\": \"" + strings.Repeat("x", 3<<20)), "2: : an entry is longer than any that a server writes; what follows is not read", nil},
		{"a word without an end", ISC, strings.NewReader("lease " + strings.Repeat("x", 1<<20) + " {}"), "1: : a word or a string is longer than any that a server writes", nil},
		{"a list cut off", JSON, strings.NewReader("[{\"address\":\"192.0.2.1\",\"mac\":\"01\",\"state\":\"bound\"},\n{"), "2: : the file ends in the middle of the list", nil},
		{"a list without an end", JSON, strings.NewReader("[\n"), "2: : the file ends in the middle of the list", nil},
		{"no JSON", JSON, strings.NewReader("[{}\n{}]"), "1: : address \"\" is no IPv4 address\n2: : not JSON from here on: expected comma after array element", nil},
		{"a stray bracket", JSON, strings.NewReader("[]]"), "1: : not JSON from here on: invalid character ']' looking for beginning of value", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := read(test.in, test.format)
			if !errors.Is(got.err, test.err) {
				t.Errorf("error %v, want %v", got.err, test.err)
			}
			if text := strings.Join(got.lines, "\n"); text != test.want {
				t.Errorf("problems %q, want %q", text, test.want)
			}
		})
	}
}

// TestOneAfterTheOther is JSON without a list around it.
func TestOneAfterTheOther(t *testing.T) {
	got := read(strings.NewReader("{\"address\":\"192.0.2.1\",\"mac\":\"01\",\"state\":\"bound\"}\n{\"address\":\"192.0.2.2\",\"mac\":\"02\",\"state\":\"bound\"}\n[]\n"), JSON)
	if len(got.leases) != 2 || got.leases[1].Line != 2 || len(got.lines) != 0 || got.err != nil {
		t.Errorf("%+v", got)
	}
}

func TestGroups(t *testing.T) {
	got := Groups([]string{"a/kea-leases4.csv", "x.leases", "a/kea-leases4.csv.1", "b.csv.2", "a/kea-leases4.csv.2", "x.leases.1", "c.csv.1", "c.csv", "c.csv.completed", "c.csv.2", "c.csv.output", "c.csv.pid", "d.pid"})
	want := [][]string{
		{"a/kea-leases4.csv.2", "a/kea-leases4.csv.1", "a/kea-leases4.csv"}, {"x.leases"}, {"b.csv.2"}, {"x.leases.1"}, {"c.csv.completed", "c.csv"}, {"d.pid"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
