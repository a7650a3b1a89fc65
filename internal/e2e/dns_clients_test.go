package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

const resolversConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  host "builder" {
    address = "10.0.0.10"
  }
  dns {
    record "nick" {
      type  = "CNAME"
      value = "builder"
    }
    record "six" {
      type  = "AAAA"
      value = "2001:db8::6"
    }
    record "@" {
      type  = "MX"
      value = "10 builder"
    }
    record "_web._tcp" {
      type  = "SRV"
      value = "0 5 80 builder"
    }
    record "text" {
      type  = "TXT"
      value = "some text"
    }
    record "web" {
      type  = "HTTPS"
      value = "1 . alpn=h2"
    }
  }
}
`

// resolverZone is the same outside.
const resolverZone = `@ MX 20 mail
mail A 192.0.2.25
v4 A 192.0.2.44
nickname CNAME www
_web._tcp SRV 1 6 8080 www
text TXT "other text"
web HTTPS 1 . alpn=h3
`

// asked is what every client is to find out, here and outside: a name, a type, and the answer, of which words are enough.
var asked = []struct{ name, qtype, want string }{
	{"builder.lab.internal", "A", "10.0.0.10"},
	{"six.lab.internal", "AAAA", "2001:db8::6"},
	{"nick.lab.internal", "A", "10.0.0.10"},
	{"10.0.0.10.in-addr.arpa", "PTR", "builder.lab.internal"},
	{"_web._tcp.lab.internal", "SRV", "0 5 80 builder.lab.internal"},
	{"lab.internal", "MX", "10 builder.lab.internal"},
	{"text.lab.internal", "TXT", "some text"},
	{"web.lab.internal", "HTTPS", "alpn"},
	{"builder.lab.internal", "ANY", "RFC8482"},
	{"www.example.org", "A", "192.0.2.80"},
	{"www.example.org", "AAAA", "2001:db8::80"},
	{"nickname.example.org", "A", "192.0.2.80"},
	{"34.216.184.93.in-addr.arpa", "PTR", "www.example.org"},
	{"_web._tcp.example.org", "SRV", "1 6 8080 www.example.org"},
	{"example.org", "MX", "20 mail.example.org"},
	{"text.example.org", "TXT", "other text"},
	{"web.example.org", "HTTPS", "alpn"},
	{"www.example.org", "ANY", "RFC8482"},
	{"large.example.org", "TXT", "40-of-the-texts"},
}

// typeNumbers are for who takes no names.
var typeNumbers = map[string]string{"A": "1", "AAAA": "28", "PTR": "12", "SRV": "33", "MX": "15", "TXT": "16", "HTTPS": "65", "ANY": "255"}

// compiled builds a program for the test and returns its path.
func compiled(t *testing.T, name string, command ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.Command(command[0], command[1:]...)
	for i, arg := range cmd.Args {
		if arg == "OUT" {
			cmd.Args[i] = path
		}
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
	}
	return path
}

// TestRealResolvers has the programs and libraries that guests resolve with ask for names here and outside, over UDP and TCP.
func TestRealResolvers(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, resolversConfig)
	l.start(t, "--log-level", "info")
	g := l.standing(t, "resolver", "vm1", "10.0.0.50")
	const source = "testdata/resolver/resolve"
	programs := map[string]string{
		"glibc": compiled(t, "glibc", "gcc", "-o", "OUT", source+".c", "-lresolv"),
		"musl":  compiled(t, "musl", "musl-gcc", "-static", "-o", "OUT", source+".c"),
		"go":    compiled(t, "go", "go", "build", "-o", "OUT", source+".go"),
	}

	says := func(t *testing.T, want string, args ...string) {
		t.Helper()
		out, err := g.Try(args...)
		// However they write it.
		plain := strings.Join(strings.Fields(strings.NewReplacer(`"`, "", "\t", " ").Replace(out)), " ")
		if !strings.Contains(plain, want) {
			t.Errorf("%s: no %q in\n%s%v", strings.Join(args, " "), want, out, err)
		}
	}
	type tool struct {
		name string
		args func(name, qtype string) []string // nil: it can't ask that
	}
	const long = "large.example.org" // needs TCP in the end, which not everybody turns to
	tools := []tool{
		{"dig", func(n, q string) []string { return []string{"dig", "+short", "+notcp", n, q} }},
		{"dig over TCP", func(n, q string) []string { return []string{"dig", "+short", "+tcp", n, q} }},
		{"dig with DO", func(n, q string) []string { return []string{"dig", "+short", "+dnssec", n, q} }},
		{"kdig", func(n, q string) []string { return []string{"kdig", "+short", n, q} }},
		{"kdig over TCP", func(n, q string) []string { return []string{"kdig", "+short", "+tcp", "+keepopen", n, q} }},
		{"drill", func(n, q string) []string {
			if n == long {
				return nil
			}
			return []string{"drill", n, q}
		}},
		{"drill over TCP", func(n, q string) []string { return []string{"drill", "-t", n, q} }},
		{"host", func(n, q string) []string { return []string{"host", "-v", "-t", q, n} }},
		{"busybox nslookup", func(n, q string) []string {
			if n == long || q == "HTTPS" { // which it has never heard of
				return nil
			}
			return []string{"busybox", "nslookup", "-type=" + strings.ToLower(q), n, "10.0.0.1"}
		}},
	}
	for _, tool := range tools {
		t.Run(tool.name, func(t *testing.T) {
			for _, a := range asked {
				if args := tool.args(a.name, a.qtype); args != nil {
					want := a.want
					if tool.name == "busybox nslookup" && a.qtype == "ANY" {
						want = "" // it shows no HINFO
					}
					says(t, want, args...)
				}
			}
		})
	}

	for _, library := range []struct{ name, program, options string }{
		{"glibc", "glibc", ""},
		{"glibc over TCP", "glibc", "options use-vc\n"},
		{"glibc with EDNS", "glibc", "options edns0 trust-ad\n"},
		{"glibc one at a time", "glibc", "options single-request\n"},
		{"musl", "musl", ""},
		{"go", "go", ""},
		{"go over TCP", "go", "options use-vc\n"},
	} {
		t.Run(library.name, func(t *testing.T) {
			setResolver(t, g.Host, "nameserver 10.0.0.1\nsearch nowhere.lab.internal lab.internal\n"+library.options)
			program := programs[library.program]
			if library.program != "go" {
				for _, a := range asked {
					want := a.want
					switch a.qtype {
					case "A", "AAAA", "HTTPS", "ANY":
						want = "bytes of type"
					}
					if a.name == long && library.program == "musl" {
						continue // musl 1.2.3 knows no TCP, and takes what fits
					}
					says(t, want, program, "query", a.name, typeNumbers[a.qtype])
				}
			} else {
				says(t, "0 5 80 builder.lab.internal", program, "srv", "_web._tcp.lab.internal")
				says(t, "20 mail.example.org", program, "mx", "example.org")
				says(t, "some text", program, "txt", "text.lab.internal")
				says(t, "40-of-the-texts", program, "txt", "large.example.org")
			}
			for _, c := range []struct{ name, want string }{
				{"builder", "10.0.0.10"},                 // a single label, and the search list
				{"builder.lab.internal", "10.0.0.10"},    // A and no AAAA
				{"builder.lab.internal.", "10.0.0.10"},   // absolute
				{"BUILDER.Lab.Internal", "10.0.0.10"},    // any case
				{"nick", "10.0.0.10"},                    // an alias
				{"six.lab.internal", "2001:db8::6"},      // AAAA and no A
				{"v4.example.org", "192.0.2.44"},         // outside, A and no AAAA
				{"www.example.org", "192.0.2.80"},        // both
				{"www.example.org", "2001:db8::80"},      //
				{"nickname.example.org", "192.0.2.80"},   //
				{"gateway", "10.0.0.1"},                  // the router
				{"localhost.localdomain.localhost", "1"}, // 127.0.0.1 or ::1
			} {
				says(t, c.want, program, "addresses", c.name)
			}
			says(t, "builder.lab.internal", program, "name", "10.0.0.10")
			says(t, "www.example.org", program, "name", "93.184.216.34")
			for _, none := range []string{"missing", "missing.lab.internal", "missing.example.org", "_web._tcp.lab.internal"} {
				if out, err := g.Try(program, "addresses", none); exitCode(err) != 1 {
					t.Errorf("%s has addresses: %s %v", none, out, err)
				}
			}
		})
	}
	t.Run("getent", func(t *testing.T) {
		setResolver(t, g.Host, "nameserver 10.0.0.1\nsearch lab.internal\n")
		says(t, "10.0.0.10 builder.lab.internal", "getent", "hosts", "builder")
		says(t, "10.0.0.10 STREAM", "getent", "ahosts", "builder")
		says(t, "10.0.0.10 builder.lab.internal", "getent", "hosts", "10.0.0.10")
	})
	t.Run("many at once", func(t *testing.T) {
		// dig asks one after the other over one connection.
		args := []string{"dig", "+tcp", "+keepopen", "+short"}
		for range 50 {
			args = append(args, "builder.lab.internal", "www.example.org")
		}
		got := strings.Fields(g.Run(t, args...))
		if len(got) != 100 || slices.ContainsFunc(got, func(s string) bool { return s != "10.0.0.10" && s != "192.0.2.80" }) {
			t.Errorf("%d answers: %v", len(got), got)
		}
	})
}
