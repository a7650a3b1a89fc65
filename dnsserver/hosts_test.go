package dnsserver

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// withHosts is two networks, each with hosts files: the second also the first's.
func withHosts(t *testing.T, up *fakeUpstream, lab, dev string) (Config, string) {
	t.Helper()
	cfg := withUpstreams(t, up.addr)
	path := listFile(t, lab)
	cfg.Networks[0].HostsFiles = []string{path}
	cfg.Networks[1].HostsFiles = []string{listFile(t, dev), path}
	return cfg, path
}

func hostsWorld(x exchange) {
	switch name := x.query.Question[0].Name; strings.ToLower(name) {
	case "printer.example.":
		x.answer(dns.RcodeNameError, "!example. 300 SOA ns.example. host.example. 1 3600 600 86400 300")
	default:
		x.answer(dns.RcodeSuccess, name+" 300 A 192.0.2.80")
	}
}

func TestHostsFiles(t *testing.T) {
	up := startUpstream(t, hostsWorld)
	cfg, _ := withHosts(t, up, strings.Join([]string{
		"127.0.0.1 localhost",
		"192.0.2.5 printer hall.printer.example a.b.lab.internal # in the hall",
		"2001:db8::5 printer",
		"192.0.2.6 printer builder gateway registry mail",
		"192.0.2.7 vm1 www.example pinned.example.org",
		"192.0.2.8 1.0.0.10.in-addr.arpa",
	}, "\n"), "192.0.2.9 printer\n192.0.2.5 scanner\n")
	cfg.Block = Block{Files: []string{listFile(t, "www.example\n")}}
	leases := testLeases()
	s := startServer(t, cfg, leases)
	for _, c := range []struct {
		at, name string
		qtype    uint16
		want     string
		reason   reason
	}{
		{s.at, "printer.lab.internal.", dns.TypeA, "NOERROR aa: printer.lab.internal. 60 A 192.0.2.5; printer.lab.internal. 60 A 192.0.2.6", localFile},
		{s.at, "PRINTER.lab.internal.", dns.TypeAAAA, "NOERROR aa: PRINTER.lab.internal. 60 AAAA 2001:db8::5", localFile},
		{s.at, "printer.lab.internal.", dns.TypeMX, "NOERROR aa: / " + labSOA, localNoData},
		{s.at, "printer.", dns.TypeAAAA, "NOERROR aa: printer. 60 AAAA 2001:db8::5", localFile},
		// Each network completes names by its own domain.
		{s.dev, "printer.", dns.TypeA, "NOERROR aa: printer. 60 A 192.0.2.9; printer. 60 A 192.0.2.5; printer. 60 A 192.0.2.6", localFile},
		{s.at, "scanner.dev.internal.", dns.TypeA, "NOERROR aa: scanner.dev.internal. 60 A 192.0.2.5", localFile},
		{s.at, "scanner.", dns.TypeA, "NXDOMAIN aa: / " + rootSOA, localNXDomain},
		// The first name of an address, also where the address is nobody's here.
		{s.dev, "5.2.0.192.in-addr.arpa.", dns.TypePTR, "NOERROR aa: 5.2.0.192.in-addr.arpa. 60 PTR printer.lab.internal.", localFile},
		{s.at, "5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.", dns.TypePTR, "NOERROR aa: 5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 PTR printer.lab.internal.", localFile},
		// Names with dots: in a domain, or anywhere.
		{s.at, "a.b.lab.internal.", dns.TypeA, "NOERROR aa: a.b.lab.internal. 60 A 192.0.2.5", localFile},
		{s.at, "b.lab.internal.", dns.TypeA, "NOERROR aa: / " + labSOA, localNoData},
		{s.dev, "hall.printer.example.", dns.TypeA, "NOERROR aa: hall.printer.example. 60 A 192.0.2.5", localFile},
		{s.at, "other.printer.example.", dns.TypeA, "NOERROR: other.printer.example. 300 A 192.0.2.80", forwarded},
		// Its upstream knows of nothing below; RFC 8020 would take what we have away.
		{s.at, "printer.example.", dns.TypeA, "NOERROR: / example. 300 SOA ns.example. host.example. 1 3600 600 86400 300", forwardedNegative},
		{s.at, "www.example.", dns.TypeA, "NOERROR aa: www.example. 60 A 192.0.2.7", localFile}, // what is ours is nobody's to block
		{s.at, "www.example.", dns.TypeANY, `NOERROR aa: www.example. 3600 HINFO "RFC8482" ""`, minimalAny},
		// What the configuration says itself goes first, and a file before a lease.
		{s.at, "builder.lab.internal.", dns.TypeA, "NOERROR aa: builder.lab.internal. 60 A 127.10.0.10", localHost},
		{s.at, "gateway.lab.internal.", dns.TypeA, "NOERROR aa: gateway.lab.internal. 60 A 127.10.0.1", localGateway},
		{s.at, "mail.lab.internal.", dns.TypeA, "NOERROR aa: mail.lab.internal. 60 A 127.10.0.25; mail.lab.internal. 60 A 127.10.0.26", localRecord},
		{s.at, "pinned.example.org.", dns.TypeA, "NOERROR aa: pinned.example.org. 60 A 127.10.0.99", localRecord},
		{s.at, "vm1.lab.internal.", dns.TypeA, "NOERROR aa: vm1.lab.internal. 60 A 192.0.2.7", localFile},
		{s.at, "57.0.10.127.in-addr.arpa.", dns.TypePTR, "NXDOMAIN aa: / " + strings.Replace(labSOA, "lab.internal. 5", "0.10.127.in-addr.arpa. 5", 1), localNXDomain},
		{s.at, "localhost.", dns.TypeA, "NOERROR aa: localhost. 86400 A 127.0.0.1", specialName},
	} {
		// Twice each: the second time from the cache, where there is one.
		for _, network := range []string{"udp", "udp", "tcp"} {
			counted := s.Stats()[c.reason.String()]
			got := brief(ask(t, network, c.at, c.name, c.qtype))
			if c.reason != forwarded && c.reason != forwardedNegative && s.Stats()[c.reason.String()] != counted+1 {
				t.Errorf("%s %s isn't counted as %s", c.name, dns.Type(c.qtype), c.reason)
			}
			if got != c.want {
				t.Errorf("%s %s: got %s\nwant %s", c.name, dns.Type(c.qtype), got, c.want)
			}
		}
	}
}

// TestHostsFileChanges follows a file that changes, goes, and comes back.
func TestHostsFileChanges(t *testing.T) {
	up := startUpstream(t, hostsWorld)
	cfg, path := withHosts(t, up, "192.0.2.5 printer\nnonsense here\n10.0.0.300 bad\n", "")
	var log bytes.Buffer
	s, err := Listen(cfg, testLeases(), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port)
	looks := fileLooks{map[string]string{}, map[string]string{}}
	refollow := func() {
		t.Helper()
		for range 2 { // it is read when it rests
			if err := s.refollow(looks); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect := func(want string) {
		t.Helper()
		packet := packMsg(new(dns.Msg).SetQuestion("printer.lab.internal.", dns.TypeA))
		reply, _ := s.serve(packet, client{addr: at, at: at}, nil)
		var m dns.Msg
		if err := m.Unpack(reply); err != nil {
			t.Fatal(err)
		}
		if got := brief(&m); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	expect("NOERROR aa: printer.lab.internal. 60 A 192.0.2.5")
	refollow()
	replaceFile(t, path, "192.0.2.55 printer\n")
	refollow()
	expect("NOERROR aa: printer.lab.internal. 60 A 192.0.2.55")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	refollow()
	refollow()
	expect("NOERROR aa: printer.lab.internal. 60 A 192.0.2.55")
	if f := s.HostsFiles()[0]; f.Err == nil || f.Names != 1 {
		t.Errorf("%+v", f)
	}
	// A reload tries it again, and says the same once.
	if err := s.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(log.String(), "a hosts file can't be read"); n != 1 {
		t.Errorf("told %d times:\n%s", n, log.String())
	}
	if n := strings.Count(log.String(), `lines=2 first="line 2, \"nonsense here\": it doesn't begin with an address"`); n != 1 {
		t.Errorf("the broken lines are told %d times:\n%s", n, log.String())
	}
	replaceFile(t, path, "192.0.2.56 printer\n")
	refollow()
	expect("NOERROR aa: printer.lab.internal. 60 A 192.0.2.56")
	cfg.Networks[0].HostsFiles, cfg.Networks[1].HostsFiles = nil, nil
	if err := s.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
	expect("NXDOMAIN aa: / " + labSOA)
	if all := s.HostsFiles(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// TestExplainHostsFiles shows the lines.
func TestExplainHostsFiles(t *testing.T) {
	up := startUpstream(t, hostsWorld)
	cfg, path := withHosts(t, up, "192.0.2.5 printer printer.lab.internal\n\n2001:db8::5 printer\n", "")
	s := startServer(t, cfg, testLeases())
	for text, want := range map[string]string{
		"printer":              "a single label stands for printer.lab.internal.; a hosts file, " + path + ":1, " + path + ":3, in the zone lab.internal. of network lab",
		"192.0.2.5":            "a hosts file, " + path + ":1",
		"scanner.lab.internal": "no lease, host, record or hosts file has the name in the zone lab.internal. of network lab",
		"printer.dev.internal": "a hosts file, " + path + ":1, " + path + ":3, in the zone dev.internal. of network dev",
		"printer.example.org":  "not a name of this host",
	} {
		if got := s.explained(Question{Network: "lab"}, text, "").Steps[1].Says; got != want {
			t.Errorf("%s: %s\nwant %s", text, got, want)
		}
	}
}

// TestALargeHostsFile swaps a hundred thousand names while others are asked for.
func TestALargeHostsFile(t *testing.T) {
	up := startUpstream(t, hostsWorld)
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "10.%d.%d.%d host%06d\n", i>>16, i>>8&255, i&255, i)
	}
	cfg, path := withHosts(t, up, b.String(), "")
	s := startServer(t, cfg, testLeases())
	if got, want := brief(ask(t, "udp", s.at, "host099999.", dns.TypeA)), "NOERROR aa: host099999. 60 A 10.1.134.159"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	replaceFile(t, path, strings.ReplaceAll(b.String(), " host", " vm"))
	nettest.Eventually(t, 20*time.Second, func() error {
		if got := brief(ask(t, "udp", s.at, "vm099999.", dns.TypeA)); got != "NOERROR aa: vm099999. 60 A 10.1.134.159" {
			return fmt.Errorf("got %s", got)
		}
		return nil
	})
	if all := s.HostsFiles(); len(all) != 2 || all[0].Names != 100_000 || filepath.Dir(all[0].File) != filepath.Dir(path) {
		t.Errorf("%+v", all)
	}
}
