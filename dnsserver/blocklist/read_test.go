package blocklist

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "list")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// readable is a set as sorted lines: a letter for each reach, and the name.
func readable(s *Set) []string {
	lines := []string{}
	for i, tag := range s.tags {
		if tag == 0 {
			continue
		}
		entry := s.entry(uint(i))
		text := ""
		for j, letter := range "=<+" {
			if entry[0]&(1<<j) != 0 {
				text += string(letter)
			}
		}
		for n := entry[1:]; n[0] != 0; n = n[1+n[0]:] {
			text += "." + string(n[1:1+n[0]])
		}
		lines = append(lines, text)
	}
	slices.Sort(lines)
	return lines
}

func TestRead(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		name, text string
		want       []string // = exact, < with all below it, + never
		bad        []string
	}{
		{"empty", "", nil, nil},
		{"comments", "# a\n! b\n[Adblock Plus 2.0]\n\n \t \n#\n##.banner\n", nil, nil},
		{"hosts", "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n255.255.255.255 broadcasthost\nfe80::1%lo0 localhost\n0.0.0.0 0.0.0.0\n" +
			"0.0.0.0 ads.example # an advertiser\n127.0.0.1\ttracker.example\tother.example\n:: six.example\n::1 seven.example\n0 nil.example\n", []string{
			"=.ads.example", "=.nil.example", "=.other.example", "=.seven.example", "=.six.example", "=.tracker.example",
		}, nil},
		{"domains", "ads.example\n*.star.example\n.dot.example\n||rule.example^\n||*.both.example^\n@@||good.example^\n*.zip\n", []string{
			"+.good.example", "<.ads.example", "<.both.example", "<.dot.example", "<.rule.example", "<.star.example", "<.zip",
		}, nil},
		{"dnsmasq", "address=/ads.example/0.0.0.0\naddress=/a.example/b.example/\nlocal=/c.example/\nserver=/d.example/\naddress=/e.example/#\naddress=/f.example/::\n", []string{
			"<.a.example", "<.ads.example", "<.b.example", "<.c.example", "<.d.example", "<.e.example", "<.f.example",
		}, nil},
		{"as people write", "\xef\xbb\xbfADS.Example.\r\n  two.example  \r\n0.0.0.0   three.example\r\n_sip._tcp.example\r\n-odd-.example\r\nlast.example", []string{
			"<.-odd-.example", "<._sip._tcp.example", "<.ads.example", "<.last.example", "<.two.example", "=.three.example",
		}, nil},
		{"foreign letters", "BÜCHER.example\nxn--bcher-kva.example\n||ñandú.example^\n", []string{"<.xn--and-6ma2c.example", "<.xn--bcher-kva.example"}, nil},
		{"twice", "ads.example\nads.example\n0.0.0.0 ads.example\n", []string{"=<.ads.example"}, nil},
		{
			"lengths", long + ".example\n" + strings.Repeat(long+".", 3) + strings.Repeat("b", 61) + "\n" + strings.Repeat(long+".", 3) + strings.Repeat("b", 62) + "\nx" + long + ".example\n",
			[]string{"<." + strings.Repeat(long+".", 3) + strings.Repeat("b", 61), "<." + long + ".example"},
			[]string{
				"line 3, \"" + long[:60] + "\"…: the name has more than 253 bytes",
				"line 4, \"x" + long[:59] + "\"…: a part of the name has more than 63 bytes",
			},
		},
		{"wrong", "fine.example\n10.0.0.1 nas.example\n0.0.0.0\nads..example\nsp ace.example\ncom\n", []string{"<.fine.example"}, []string{
			`line 2, "10.0.0.1 nas.example": the address is a host's: only 0.0.0.0, 127.0.0.1, :: and ::1 block`,
			`line 3, "0.0.0.0": the address has no name behind it`,
			`line 4, "ads..example": a part of the name is empty`,
			`line 5, "sp ace.example": more than a name`,
			`line 6, "com": a single label; a whole top-level domain is blocked by *.NAME`,
		}},
		{"rules for browsers", "fine.example\nexample.com##.ad\n||example.com^$third-party\n@@/banner/*\n/ads/\n", []string{"<.fine.example"}, []string{
			`line 2, "example.com##.ad": the name has a character in it that names don't have`,
			`line 3, "||example.com^$third-party": a rule that a browser understands, and DNS doesn't`,
			`line 4, "@@/banner/*": a rule that a browser understands, and DNS doesn't`,
			`line 5, "/ads/": a single label; a whole top-level domain is blocked by *.NAME`,
		}},
		{"addresses", "fine.example\n||192.0.2.1^\nx.192.0.2.1\n0.0.0.0 \x1b[31m.example good.example\n", []string{"<.fine.example", "=.good.example"}, []string{
			`line 2, "||192.0.2.1^": an address is not a name`,
			`line 3, "x.192.0.2.1": an address is not a name`,
			`line 4, "0.0.0.0 \x1b[31m.example good.example": the name has a character in it that names don't have`,
		}},
		{"directives", "fine.example\nserver=192.0.2.1\naddress=/nas.example/10.0.0.1\nserver=/x.example/#\ndhcp-range=1\n", []string{"<.fine.example"}, []string{
			`line 2, "server=192.0.2.1": only the address=/NAME/, local=/NAME/ and server=/NAME/ of dnsmasq block`,
			`line 3, "address=/nas.example/10.0.0.1": the address is a host's: only 0.0.0.0, 127.0.0.1, :: and ::1 block`,
			`line 4, "server=/x.example/#": only the address=/NAME/, local=/NAME/ and server=/NAME/ of dnsmasq block`,
			`line 5, "dhcp-range=1": only the address=/NAME/, local=/NAME/ and server=/NAME/ of dnsmasq block`,
		}},
		{"a long line", "fine.example\n" + strings.Repeat("x", 3*maxLine) + "\nlater.example\n", []string{"<.fine.example", "<.later.example"}, []string{
			`line 2, "` + strings.Repeat("x", 60) + `"…: the line is too long`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, report, err := Read(file(t, c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]string{}, c.want...), readable(s)); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			var bad []string
			for _, b := range report.First {
				bad = append(bad, b.String())
			}
			if diff := cmp.Diff(c.bad, bad); diff != "" {
				t.Errorf("bad lines (-want +got):\n%s", diff)
			}
			if report.Names != len(c.want) || report.Bad != len(c.bad) {
				t.Errorf("%d names and %d bad lines", report.Names, report.Bad)
			}
		})
	}
}

// Of a file full of bad lines the first few are told, and all are counted.
func TestManyBadLines(t *testing.T) {
	_, report, err := Read(file(t, strings.Repeat("a b\n", 1000)+"fine.example\n"))
	if err != nil || report.Bad != 1000 || len(report.First) != named || report.Names != 1 {
		t.Errorf("%+v, %v", report, err)
	}
}

// What is no list at all is an error, so that whoever has read it before can keep that.
func TestNoList(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"missing":     {filepath.Join(dir, "none"), "no such file or directory"},
		"directory":   {dir, "is a directory"},
		"pipe":        {pipe, "not an ordinary file"},
		"device":      {"/dev/zero", "not an ordinary file"},
		"binary":      {file(t, "\x1f\x8b\x08\x00\x00\x00\x00\x00"), "line 1: it is no text"},
		"a web page":  {file(t, "<!DOCTYPE html>\n<html>\n<p>404 Not Found\n"), `is no block list: line 1, "<!DOCTYPE html>": more than a name`},
		"no newlines": {file(t, strings.Repeat("x", 100000)), "the line is too long"},
	} {
		if _, _, err := Read(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := Check(dir); err == nil {
		t.Error("a directory is fine")
	}
	if err := Check(file(t, "")); err != nil {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	first, second := file(t, "# ads\n0.0.0.0 a.example ads.example\nads.example\n"), file(t, "0.0.0.0 x.ads.example\n@@||good.ads.example^\nexample.org\n")
	for _, c := range []struct{ name, want string }{
		{"ads.example.", "[0:2 1 0:3 2]"},
		{"X.ads.example", "[0:3 2 1:1 1]"},
		{"good.ads.example", "[0:3 2 1:2 4]"},
		{"a.example", "[0:2 1]"},
		{"b.example", "[]"},
	} {
		found, err := Find([]string{first, second}, c.name)
		if err != nil {
			t.Fatal(err)
		}
		got := []string{}
		for _, e := range found {
			got = append(got, fmt.Sprintf("%d:%d %d", slices.Index([]string{first, second}, e.File), e.Line, e.Reach))
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	found, err := Find([]string{filepath.Join(t.TempDir(), "none"), first}, "a.example")
	if len(found) != 1 || err == nil {
		t.Errorf("beside a file that isn't there: %v, %v", found, err)
	}
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"0.0.0.0 a.example b.example # x\r\n", "||a.example^\n@@||b.example^\n", "*.a.example\n.b.example\n", "address=/a.example/b.example/::\n", "\xef\xbb\xbfbücher.example", "a#b\n #\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b := testBuilder(t)
		var current string
		p := parser{add: func(n []byte, r Reach) error {
			if len(n) > maxName || wireLen(n) != len(n) || r != Exact && r != Below && r != Exempt {
				t.Errorf("%q: %q, %d", current, n, r)
			}
			return b.add(n, r)
		}}
		for current = range strings.Lines(string(text)) {
			_ = p.line([]byte(current))
		}
		s := finished(t, b)
		if got := len(readable(s)); got != s.Len() {
			t.Errorf("%d names, %d counted", got, s.Len())
		}
	})
}
