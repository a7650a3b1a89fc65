package hostsfile

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// wire is a name in wire format.
func wire(name string) []byte {
	var out []byte
	for label := range strings.SplitSeq(name, ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}

func TestRead(t *testing.T) {
	s, report, err := Read(file(t, "\xef\xbb\xbf127.0.0.1\tlocalhost\n"+
		"127.0.1.1 myself.example.com myself\n"+
		"::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nfe80::1%lo0 localhost\n"+
		"\n# a comment\n   \n"+
		"10.0.0.5  Printer printer.lab.example. # in the hall\r\n"+
		"10.0.0.6\tprinter\n10.0.0.5 printer again\n"+
		"2001:db8::5 printer\n::ffff:10.0.0.7 mapped\n"+
		"0.0.0.0 ads.example.net\n127.0.0.1 more.example.net\n"+
		"10.0.0.8 a.b.c.example 42"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Report{Names: 8}); !cmp.Equal(report, want) {
		t.Error(cmp.Diff(want, report))
	}
	for name, want := range map[string]string{
		"printer":             "10.0.0.5:9 10.0.0.6:10 2001:db8::5:12",
		"printer.lab.example": "10.0.0.5:9",
		"again":               "10.0.0.5:11",
		"mapped":              "10.0.0.7:13",
		"ads.example.net":     "0.0.0.0:14",
		"more.example.net":    "127.0.0.1:15",
		"a.b.c.example":       "10.0.0.8:16",
		"42":                  "10.0.0.8:16",
		"myself":              "",
		"myself.example.com":  "",
		"localhost":           "",
		"lab.example":         "",
	} {
		var got []string
		for _, e := range s.Lookup(wire(name)) {
			got = append(got, fmt.Sprintf("%s:%d", e.Addr, e.Line))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has %v, want %s", name, got, want)
		}
		if s.Has(wire(name)) != (want != "") {
			t.Errorf("%s: %v", name, s.Has(wire(name)))
		}
	}
	for addr, want := range map[string]string{
		"10.0.0.5": "printer", "10.0.0.6": "printer", "2001:db8::5": "printer", "10.0.0.8": "a.b.c.example", "10.0.0.7": "mapped",
		"127.0.0.1": "", "0.0.0.0": "", "10.0.0.9": "",
	} {
		got, ok := s.NameOf(netip.MustParseAddr(addr))
		if ok != (want != "") || ok && got.Name != string(wire(want)) {
			t.Errorf("%s is %q, want %q", addr, got.Name, want)
		}
	}
	for name, want := range map[string]bool{"lab.example": true, "b.c.example": true, "example": true, "printer": false, "a.b.c.example": false} {
		if s.Above(wire(name)) != want {
			t.Errorf("names below %s: %v", name, !want)
		}
	}
}

// What is wrong on a line costs nothing but what is wrong.
func TestBadLines(t *testing.T) {
	long := "10.0.0.1 " + strings.Repeat("x", 64)
	lines := []string{
		"10.0.0.300 a", "printer 10.0.0.5", "10.0.0.5", "10.0.0.5 good b@d", "10.0.0.5 -..-", long, "fe80::1%eth0 c", "ff02::5 d", "10.0.0.5 10.0.0.6",
		"10.0.0.9 " + strings.Repeat("n ", maxLine), "10.0.0.10 last",
	}
	s, report, err := Read(file(t, strings.Join(lines, "\n")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if report.Bad != 10 || report.Names != 2 || len(report.First) != named {
		t.Errorf("%+v", report)
	}
	if got := report.First[3].String(); got != `line 4, "10.0.0.5 good b@d": `+errCharacter.Error() {
		t.Error(got)
	}
	if !s.Has(wire("good")) || !s.Has(wire("last")) {
		t.Error("names beside bad ones are gone")
	}
}

func TestNoHostsFile(t *testing.T) {
	dir := t.TempDir()
	for name, path := range map[string]string{
		"no such file": filepath.Join(dir, "none"),
		"a directory":  dir,
		"a device":     "/dev/zero",
		"no text":      file(t, "10.0.0.1 a\n10.0.0.2 b\x00\n"),
		"prose":        file(t, "This is no list.\n"),
	} {
		if _, _, err := Read(path); err == nil {
			t.Errorf("%s is read", name)
		}
	}
	if s, _, err := Read(file(t, "")); err != nil || s.Has(wire("a")) {
		t.Errorf("an empty file: %v", err)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// TestMany holds what a hundred thousand lines cost.
func TestMany(t *testing.T) {
	const lines = 100_000
	var b strings.Builder
	for i := range lines {
		fmt.Fprintf(&b, "10.%d.%d.%d host%06d.example.com host%06d\n", i>>16, i>>8&255, i&255, i, i)
	}
	path := file(t, b.String())
	before := heap()
	s, _, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if taken := heap() - before; taken > 40<<20 {
		t.Errorf("%d lines with two names each take %d bytes", lines, taken)
	} else {
		t.Logf("%d lines with two names each: %.1f MiB", lines, float64(taken)/(1<<20))
	}
	if e, ok := s.NameOf(netip.MustParseAddr("10.1.134.159")); !ok || e.Line != lines || len(s.entries) != 2*lines {
		t.Errorf("%+v %v, %d entries", e, ok, len(s.entries))
	}
	// A name with all of them.
	b.Reset()
	for i := range lines {
		fmt.Fprintf(&b, "10.%d.%d.%d same\n", i>>16, i>>8&255, i&255)
	}
	s, _, _ = Read(file(t, b.String()))
	if got := len(s.Lookup(wire("same"))); got != maxPerName {
		t.Errorf("%d addresses", got)
	}
}

func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "10.%d.%d.%d host%06d.example.com host%06d\n", i>>16, i>>8&255, i&255, i, i)
	}
	path := file(b, text.String())
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Read(path); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	for _, seed := range []string{"10.0.0.5 printer printer.lab. # hall", "::1 localhost", "fe80::1%eth0 a", "10.0.0.5 ...", "\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		p := parser{add: func(name []byte, addr netip.Addr) {
			if !addr.IsValid() || addr.Zone() != "" || len(name) > maxName || name[len(name)-1] != 0 {
				t.Errorf("%q: %v %v", line, name, addr)
			}
			for at := 0; name[at] != 0; at += 1 + int(name[at]) {
				if name[at] > 63 {
					t.Fatalf("%q: %v", line, name)
				}
			}
		}}
		_ = p.line(line)
	})
}
