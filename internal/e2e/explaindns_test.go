package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

const namesConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    name   = "br0"
    attach = ["vm*"]
  }
  dhcp {
    lease_time = "60s"
  }
  dns {
    domain = "lab.internal"
    record "registry" {
      type  = "CNAME"
      value = "www.example.org."
    }
  }
  host "builder" {
    mac     = "52:54:00:aa:00:09"
    address = "10.0.0.10"
    aliases = ["ci"]
  }
  host "roaming" {
    mac = "52:54:00:aa:00:0a"
  }
}

network "dmz" {
  address = "10.1.0.1/24"
  bridge {
    name   = "br1"
    attach = ["dm*"]
  }
  dns {
    domain = "dmz.internal"
    record "proxy" {
      type  = "A"
      value = "10.1.0.9"
    }
  }
}
`

// explains runs explain dns, and wants texts in what it says.
func (l *lab) explains(t *testing.T, args []string, want ...string) {
	t.Helper()
	out := l.labnet(t, append([]string{"explain", "dns"}, args...)...)
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("%q without %q:\n%s", args, w, out)
		}
	}
}

// wants is an error where out lacks a text.
func wants(out, text string) error {
	if !strings.Contains(out, text) {
		return fmt.Errorf("no %q in:\n%s", text, out)
	}
	return nil
}

// counts is the counters of DNS.
func (l *lab) counts(t *testing.T) string {
	t.Helper()
	var status struct{ DNS map[string]uint64 }
	if err := json.Unmarshal([]byte(l.labnet(t, "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(status.DNS)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExplainNames has every kind of who can answer.
func TestExplainNames(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, namesConfig)
	l.start(t)
	g := l.newGuest(t, "vm1", "vm1")
	g.Run(t, "ip", "link", "set", "eth0", "address", "52:54:00:aa:00:01")
	g.udhcpc(t)
	addr := g.leased(t)["address"]
	before := l.counts(t)

	l.explains(t, []string{"vm1", "--from", "vm1"},
		"vm1. A in network lab\n  client       "+addr+" is of network lab, 10.0.0.0/24: it may ask\n",
		"  local        a single label stands for vm1.lab.internal.; a lease in the zone lab.internal. of network lab\n",
		"               "+addr+", 52:54:00:aa:00:01, expires in ", "  answer       NOERROR: a lease (local_lease)\n               vm1. ")
	l.explains(t, []string{addr, "--network", "lab"}, "in-addr.arpa. PTR in network lab", "PTR vm1.lab.internal.\n", "52:54:00:aa:00:01")
	l.explains(t, []string{"ci.lab.internal.", "--network", "dmz"}, "10.1.0.1 is this host", "a host of the configuration in the zone lab.internal.", "               host builder\n", "A 10.0.0.10")
	l.explains(t, []string{"gateway", "--network", "lab"}, "a name of this host", "(local_gateway)")
	l.explains(t, []string{"proxy", "--network", "lab"}, "NXDOMAIN: no such local name (nxdomain_local)", "remedy       network dmz has the name: ask for proxy.dmz.internal.")
	l.explains(t, []string{"roaming", "--network", "lab"}, "NXDOMAIN", `remedy       the host block "roaming" has no `+"`address`")
	l.explains(t, []string{"x.invalid", "--network", "lab"}, "NXDOMAIN: a special-use name, answered here (special_name)")
	l.explains(t, []string{"www.example.org", "--from", "203.0.113.9", "--network", "lab"},
		"REFUSED: the client may not ask here (refused_client)", "let others ask by `clients`")
	l.explains(t, []string{"registry", "--network", "lab", "--no-query"},
		"an alias of www.example.org.\n  then         www.example.org.\n  local        not a name of this host\n  cache        no answer is kept\n",
		"  upstream     would be asked: 192.0.2.1 of the upstreams \"host\"\n  answer       not known")
	l.explains(t, []string{"registry", "--network", "lab"}, "  upstream     asked: 192.0.2.1 of", "  upstream     192.0.2.1 says NOERROR\n", "www.example.org. 300 A 192.0.2.80")
	l.explains(t, []string{"www.example.org.", "--from", addr}, "  cache        an answer of ", "(cache_hit)")
	l.explains(t, []string{"none.example.org", "--network", "lab"}, "192.0.2.1 says NXDOMAIN", "(forwarded_negative)")
	// Each network for itself, where none is named.
	if out := l.labnet(t, "explain", "dns", "gateway"); strings.Count(out, "gateway. A in network ") != 2 {
		t.Errorf("not in both networks:\n%s", out)
	}
	if after := l.counts(t); before != after {
		t.Errorf("it was counted:\n%s\n%s", before, after)
	}
	for args, want := range map[string]string{
		"a..b":                   "is not a domain name",
		"https://example.org/":   "is a URL",
		"10.0.0.0/24":            "is a prefix",
		"x --type NONSENSE":      `"NONSENSE" is not a type`,
		"x --network nowhere":    `DNS is served in no network "nowhere"; it is in: lab, dmz`,
		"x --from nobody":        "no lease has the name",
		"x --from 10.0.0.300":    "no lease has the name",
		strings.Repeat("x", 300): "is not a domain name",
	} {
		if out, err := l.tryLabnet(t, append([]string{"explain", "dns"}, strings.Fields(args)...)...); err == nil || !strings.HasPrefix(out, "labnet: ") || !strings.Contains(out, want) {
			t.Errorf("%s: %v: %s", args, err, out)
		}
	}

	l.labnet(t, "leases", "release", "vm1", "--force")
	l.explains(t, []string{"vm1.lab.internal", "--network", "lab"}, "NXDOMAIN", addr+", 52:54:00:aa:00:01, released, ", "remedy       the lease of "+addr+" is over (released)")

	// Another upstream, which is none; then none at all.
	setResolver(t, l.router, "nameserver 192.0.2.99\n")
	nettest.Eventually(t, 30*time.Second, func() error {
		return wants(l.labnet(t, "status"), "192.0.2.99")
	})
	l.explains(t, []string{"other.example.org", "--network", "lab"}, "SERVFAIL", "remedy       ask the upstream itself on this host: dig -p 53 @192.0.2.99 other.example.org. A")
	setResolver(t, l.router, "# nothing\n")
	nettest.Eventually(t, 30*time.Second, func() error {
		return wants(l.labnet(t, "explain", "dns", "other.example.org", "--network", "lab"), "SERVFAIL: there is no upstream to ask (no_upstream)")
	})
}

// A blocked name is explained by the line that blocks it.
func TestExplainABlockedName(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	list := filepath.Join(l.dir, "ads.hosts")
	write(t, list, "# advertisers\n0.0.0.0 www.example.org\n")
	l.configure(t, fmt.Sprintf("%s\nresolver {\n  block {\n    files = [%q]\n  }\n}\n", namesConfig, list))
	l.start(t)
	l.explains(t, []string{"registry", "--network", "lab"}, "  then         www.example.org.\n",
		"  policy       www.example.org. is on a block list; "+list+`:2: "0.0.0.0 www.example.org"`, "  answer       NXDOMAIN: ", "(blocked)\n",
		"remedy       to let it through, name www.example.org in `allow`")
	l.explains(t, []string{"none.example.org", "--network", "lab"}, "  policy       on no block list\n", "192.0.2.1 says NXDOMAIN")
}

func TestTraceNames(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, namesConfig)
	l.start(t)
	g := l.newGuest(t, "vm1", "vm1")
	g.Run(t, "ip", "address", "add", "10.0.0.50/24", "dev", "eth0")
	g.Run(t, "ip", "link", "set", "eth0", "up")
	nettest.Eventually(t, 30*time.Second, func() error {
		out, _ := g.Try("dig", "+short", "+time=1", "+tries=1", "@10.0.0.1", "www.example.org")
		return wants(out, "192.0.2.80")
	})
	all := l.traceOf(t, "dns", "--client", "10.0.0.50", "--network", "lab")
	denied := l.traceOf(t, "dns", "--rcode", "nxdomain", "--name", "invalid", "-o", "ndjson", "--count", "1")
	other := l.traceOf(t, "dns", "--client", "10.0.0.51")
	g.Run(t, "dig", "+noedns", "@10.0.0.1", "www.example.org")
	g.Run(t, "dig", "+tcp", "@10.0.0.1", "ci.lab.internal")
	g.Run(t, "dig", "@10.0.0.1", "AAAA", "none.example.org")
	g.Run(t, "dig", "@10.0.0.1", "TXT", `x\027[31m.invalid`)
	all.until("invalid.")
	for _, want := range []string{
		"10.0.0.50       A     www.example.org. → 192.0.2.80: from the cache (cache_hit) in ",
		"10.0.0.50       A     ci.lab.internal. → 10.0.0.10: a host of the configuration (local_host) in ",
		"10.0.0.50       AAAA  none.example.org. → NXDOMAIN: an upstream's answer: there is no such name or type (forwarded_negative) in ",
		`10.0.0.50       TXT   x\027[31m.invalid. → NXDOMAIN: a special-use name, answered here (special_name) in `,
		", from 192.0.2.1\n", ", by TCP\n",
	} {
		if out := all.output(); !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if code := all.end(os.Interrupt); code != 0 || strings.Contains(all.output(), "labnet:") {
		t.Errorf("Ctrl-C: exit code %d:\n%s", code, all.output())
	}
	if code := denied.wait(); code != 0 || !strings.Contains(denied.output(), `"name":"x\\027[31m.invalid."`) || strings.Count(denied.output(), "{") != 1 {
		t.Errorf("exit code %d: %s", code, denied.output())
	}
	if out := other.output(); strings.Contains(out, "→") {
		t.Errorf("of another client: %s", out)
	}
	if out, err := l.tryLabnet(t, "trace", "dns", "--reason", "nonsense"); err == nil || !strings.Contains(out, `there is no reason "nonsense"`) {
		t.Errorf("%v: %s", err, out)
	}
	l.labnet(t, "down")
	if code := other.wait(); code != 1 || !strings.Contains(other.output(), "labnet: the trace ended: the daemon is stopping\n") {
		t.Errorf("exit code %d:\n%s", code, other.output())
	}
}

// TestWhyDoesANameNotResolve types the commands of that chapter; while it traces, a guest asks again and again.
func TestWhyDoesANameNotResolve(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, strings.Replace(namesConfig, `record "proxy"`, `record "db"`, 1))
	l.start(t)
	g := l.newGuest(t, "vm1", "vm1")
	g.Run(t, "ip", "address", "add", "10.0.0.57/24", "dev", "eth0")
	g.Run(t, "ip", "link", "set", "eth0", "up")
	ran, shown := l.chapter(t, "Why does a name not resolve?", func(command string) {
		if strings.HasPrefix(command, "labnet trace") {
			g.Start(t, "sh", "-c", "while :; do dig +time=1 +tries=1 @10.0.0.1 registry.lab.internal; sleep 0.1; done")
		}
	})
	if ran < 3 || shown < 15 {
		t.Errorf("only %d commands and %d lines found", ran, shown)
	}
}

func TestCacheIsFlushed(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, namesConfig)
	l.start(t)
	dig := func(name, qtype string) {
		t.Helper()
		nettest.Eventually(t, 30*time.Second, func() error {
			out, err := l.router.Try("dig", "+time=2", "+tries=1", "@10.0.0.1", name, qtype)
			if err == nil {
				err = wants(out, "flags: qr")
			}
			return err
		})
	}
	fill := func() {
		dig("www.example.org", "A")
		dig("www.example.org", "AAAA")
		dig("none.example.org", "A")
		dig("ci.lab.internal", "A")
	}
	fill()
	var found struct {
		Entries, Bytes, Misses int
		Limit                  int `json:"limit_bytes"`
		Upstreams              []struct {
			Group             string
			Own               bool
			Entries, Negative int
		}
	}
	if err := json.Unmarshal([]byte(l.labnet(t, "cache", "-o", "json")), &found); err != nil {
		t.Fatal(err)
	}
	if found.Entries != 4 || found.Bytes == 0 || found.Limit == 0 || found.Misses != 3 || len(found.Upstreams) != 2 || !found.Upstreams[0].Own ||
		found.Upstreams[1].Group != "host" || found.Upstreams[1].Negative != 1 {
		t.Errorf("%+v", found)
	}
	for _, test := range []struct{ args, want string }{
		{"cache flush www.example.org", "flushed 2 answers\n"},
		{"cache flush www.example.org", "flushed 0 answers\n"},
		{"cache flush example.org", "flushed 0 answers\n"},
		{"cache flush example.org --below", "flushed 1 answer\n"},
		{"cache flush", "flushed 0 answers\n"},
	} {
		if out := l.labnet(t, strings.Fields(test.args)...); out != test.want {
			t.Errorf("%s: %q, want %q", test.args, out, test.want)
		}
	}
	fill()
	if out := l.labnet(t, "cache", "flush"); out != "flushed 3 answers\n" {
		t.Errorf("everything: %q", out)
	}
	if out := l.labnet(t, "status"); !strings.Contains(out, "\n  cache    1 answer, ") {
		t.Errorf("%s", out)
	}
	if out, err := l.tryLabnet(t, "cache", "flush", "a..b"); err == nil || !strings.Contains(out, "is not a domain name") {
		t.Errorf("%v: %s", err, out)
	}
}
