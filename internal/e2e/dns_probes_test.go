package e2e

import (
	"regexp"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

const probesConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dns {
    record "@" {
      type  = "TXT"
      value = ["LONG", "LONG1", "LONG2", "LONG3", "LONG4"]
    }
  }
}
`

// standing puts a guest with an address of its own behind the router: it needs no lease to ask.
func (l *lab) standing(t *testing.T, name, port, addr string) *guest {
	t.Helper()
	g := l.newGuest(t, name, port)
	g.Run(t, "ip", "address", "add", addr+"/24", "dev", "eth0")
	g.Run(t, "ip", "route", "add", "default", "via", "10.0.0.1")
	setResolver(t, g.Host, "nameserver 10.0.0.1\nsearch lab.internal\n")
	nettest.Eventually(t, limit, func() error {
		_, err := g.Try("dig", "+time=1", "+tries=1", "@10.0.0.1", "gateway.lab.internal")
		return err
	})
	return g
}

var (
	digStatus = regexp.MustCompile(`opcode: (\S+), status: (\S+),`)
	digFlags  = regexp.MustCompile(`;; flags:([^;]*);`)
	digEDNS   = regexp.MustCompile(`; EDNS: version: (\d+), flags:([^;]*);`)
)

// digSays is what dig says of an answer, as the expectations of RFC 8906 section 8 are worded.
func digSays(out string) map[string]bool {
	said := map[string]bool{}
	if m := digStatus.FindStringSubmatch(out); m != nil {
		said[m[2]] = true
	}
	if m := digFlags.FindStringSubmatch(out); m != nil {
		for _, f := range strings.Fields(m[1]) {
			said[f] = true
		}
	}
	if m := digEDNS.FindStringSubmatch(out); m != nil {
		said["OPT"], said["EDNS "+m[1]] = true, true
		for _, f := range strings.Fields(m[2]) {
			said[f] = true
		}
	}
	said["MBZ"] = strings.Contains(out, "MBZ")
	said["OPT=100"] = strings.Contains(out, "OPT=100")
	said["NSID"], said["SUBNET"], said["COOKIE"] = strings.Contains(out, "; NSID"), strings.Contains(out, "CLIENT-SUBNET"), strings.Contains(out, "; COOKIE")
	said["good"] = strings.Contains(out, "(good)") // the cookie that came back has the client's own part
	if _, answer, ok := strings.Cut(out, ";; ANSWER SECTION:\n"); ok {
		said["answer"] = true
		said["SOA"] = strings.Contains(strings.SplitN(answer, "\n\n", 2)[0], "\tSOA\t")
	}
	return said
}

// TestRFC8906Probes asks what RFC 8906 section 8 has servers asked, and holds each answer to what it asks of them: the zones of
// ours, forward and reverse; and, where the answer isn't ours but passed on, the same but AA.
func TestRFC8906Probes(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLab(t)
	l.configure(t, strings.ReplaceAll(probesConfig, "LONG", strings.Repeat("x", 200)))
	// As users run it: at the level "debug" every question takes the long way.
	l.start(t, "--log-level", "info")
	g := l.standing(t, "prober", "vm1", "10.0.0.50")
	for _, probe := range []struct {
		section, args string
		want, not     string
	}{
		{"8.1.1 the zone", "+noedns +noad +norec soa ZONE", "NOERROR,SOA,aa", "OPT,MBZ,tc,ad"},
		{"8.1.2 unknown type", "+noedns +noad +norec type1000 ZONE", "NOERROR,aa", "answer,OPT"},
		{"8.1.3.1 CD", "+noedns +noad +norec +cd soa ZONE", "NOERROR,SOA,aa", "OPT"},
		{"8.1.3.2 AD", "+noedns +norec +ad soa ZONE", "NOERROR,SOA,aa", "OPT,ad"},
		{"8.1.3.3 the reserved bit", "+noedns +noad +norec +zflag soa ZONE", "NOERROR,SOA,aa", "MBZ,OPT"},
		{"8.1.3.4 RD", "+noedns +noad +rec soa ZONE", "NOERROR,SOA,aa,rd", "OPT"},
		{"8.1.4 unknown opcode", "+noedns +noad +opcode=15 +norec +header-only", "NOTIMP", "SOA,aa,answer"},
		{"8.1.5 TCP", "+noedns +noad +norec +tcp soa ZONE", "NOERROR,SOA,aa", "OPT"},
		{"8.2.1 minimal EDNS", "+nocookie +edns=0 +noad +norec soa ZONE", "NOERROR,SOA,OPT,EDNS 0,aa", "MBZ"},
		{"8.2.2 EDNS version 1", "+nocookie +edns=1 +noednsneg +noad +norec soa ZONE", "BADVERS,OPT,EDNS 0", "SOA,aa,answer"},
		{"8.2.3 unknown option", "+nocookie +edns=0 +noad +norec +ednsopt=100 soa ZONE", "NOERROR,SOA,OPT,EDNS 0,aa", "OPT=100"},
		{"8.2.4 unknown flags", "+nocookie +edns=0 +noad +norec +ednsflags=0x40 soa ZONE", "NOERROR,SOA,OPT,EDNS 0,aa", "MBZ"},
		{"8.2.5 version 1 with unknown flags", "+nocookie +edns=1 +noednsneg +noad +norec +ednsflags=0x40 soa ZONE", "BADVERS,OPT,EDNS 0", "SOA,MBZ,aa"},
		{"8.2.6 version 1 with an unknown option", "+nocookie +edns=1 +noednsneg +noad +norec +ednsopt=100 soa ZONE", "BADVERS,OPT,EDNS 0", "SOA,OPT=100,aa"},
		{"8.2.7 truncated", "+nocookie +norec +dnssec +bufsize=512 +ignore LARGE", "NOERROR,tc,OPT,EDNS 0,do", "answer"},
		{"8.2.8 DO", "+nocookie +edns=0 +noad +norec +dnssec soa ZONE", "NOERROR,SOA,OPT,EDNS 0,aa,do", "ad"},
		{"8.2.9 version 1 with DO", "+nocookie +edns=1 +noednsneg +noad +norec +dnssec soa ZONE", "BADVERS,OPT,EDNS 0,do", "SOA,aa"},
		{"8.2.10 several options", "+edns=0 +noad +norec +cookie +nsid +expire +subnet=0.0.0.0/0 soa ZONE", "NOERROR,SOA,OPT,EDNS 0,aa,COOKIE,good", "NSID,SUBNET"},
		// Beyond the list: as one each, over TCP, and with what was passed on to no upstream.
		{"NSID", "+nocookie +norec +nsid soa ZONE", "NOERROR,SOA,OPT,aa", "NSID"},
		{"keepalive", "+nocookie +norec +tcp +keepalive soa ZONE", "NOERROR,SOA,OPT,aa", ""},
		{"padding", "+nocookie +norec +padding=128 soa ZONE", "NOERROR,SOA,OPT,aa", ""},
		{"version 1 over TCP", "+nocookie +edns=1 +noednsneg +tcp soa ZONE", "BADVERS,OPT,EDNS 0", "SOA,aa"},
		{"version 255", "+nocookie +edns=255 +noednsneg soa ZONE", "BADVERS,OPT,EDNS 0", "SOA,aa"},
		{"every unknown flag", "+nocookie +noad +norec +zflag +edns=0 +ednsflags=0x7fff soa ZONE", "NOERROR,SOA,OPT,EDNS 0,aa", "MBZ,do"},
		{"unknown opcode with a question", "+noedns +opcode=15 soa ZONE", "NOTIMP", "SOA,aa,answer"},
		{"NOTIFY", "+noedns +opcode=notify soa ZONE", "NOTIMP", "SOA,aa"},
		{"UPDATE", "+noedns +opcode=update soa ZONE", "NOTIMP", "SOA,aa"},
		{"a cookie alone", "+edns=0 +cookie +header-only", "NOERROR,OPT,COOKIE,good", "SOA,aa"},
		{"CHAOS", "version.bind chaos txt", "REFUSED", "aa,answer"},
	} {
		t.Run(probe.section, func(t *testing.T) {
			for _, zone := range []string{"lab.internal", "0.0.10.in-addr.arpa", "example.org"} {
				large := "txt lab.internal"
				if zone == "example.org" {
					large = "txt large.example.org"
				}
				args := strings.Fields(strings.NewReplacer("ZONE", zone, "LARGE", large).Replace(probe.args))
				if zone == "example.org" {
					// The forwarder's own zone is none: without RD, only what is remembered is answered.
					args = append(args, "+rec")
				}
				out, err := g.Try(append([]string{"dig", "+tries=1", "+time=20", "@10.0.0.1"}, args...)...)
				if err != nil {
					t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
					continue
				}
				said := digSays(out)
				for _, want := range strings.Split(probe.want, ",") {
					if !said[want] && (want != "aa" || zone != "example.org") {
						t.Errorf("%s: no %s in\n%s", strings.Join(args, " "), want, out)
					}
				}
				for _, not := range strings.Split(probe.not, ",") {
					if said[not] {
						t.Errorf("%s: %s in\n%s", strings.Join(args, " "), not, out)
					}
				}
			}
		})
	}
}
