package e2e

import (
	bigend "encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

const oracleConfig = `network "lab" {
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
    record "@" {
      type  = "MX"
      value = "10 builder"
    }
    record "text" {
      type  = "TXT"
      value = "some text"
    }
    record "_web._tcp" {
      type  = "SRV"
      value = "0 5 80 builder"
    }
  }
}

resolver {
  upstream "default" {
    servers = ["192.0.2.1"]
  }
}
`

// The same local data, for those that read a zone file. SERVER is labnet's name for itself there, which comes from the machine.
const (
	oracleZone = `$TTL 300
@ SOA SERVER hostmaster.SERVER 1 3600 600 86400 5
@ NS SERVER
@ MX 10 builder
SERVER A 10.0.0.1
gateway A 10.0.0.1
builder A 10.0.0.10
nick CNAME builder
text TXT "some text"
_web._tcp SRV 0 5 80 builder
`
	oracleReverse = `$TTL 300
@ SOA SERVER.lab.internal. hostmaster.SERVER.lab.internal. 1 3600 600 86400 5
@ NS SERVER.lab.internal.
1 PTR SERVER.lab.internal.
10 PTR builder.lab.internal.
`
)

const oracleBIND = `options {
  directory %[1]q;
  pid-file none;
  session-keyfile none;
  listen-on { 192.0.2.13; };
  listen-on-v6 { none; };
  allow-query { any; };
  recursion yes;
  allow-recursion { any; };
  forward only;
  forwarders { 192.0.2.1; };
  dnssec-validation no;
  notify no;
};
controls { };
zone "lab.internal" { type primary; file "zone"; };
zone "0.0.10.in-addr.arpa" { type primary; file "reverse"; };
`

const oracleUnbound = `server:
  interface: 192.0.2.11
  access-control: 0.0.0.0/0 allow
  chroot: ""
  username: ""
  directory: %[1]q
  pidfile: ""
  use-syslog: no
  do-daemonize: no
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  local-zone: "10.in-addr.arpa" nodefault
remote-control:
  control-enable: no
auth-zone:
  name: "lab.internal"
  zonefile: "zone"
  for-upstream: no
auth-zone:
  name: "0.0.10.in-addr.arpa"
  zonefile: "reverse"
  for-upstream: no
forward-zone:
  name: "."
  forward-addr: 192.0.2.1
`

var oracleDnsmasq = []string{
	"dnsmasq", "--no-daemon", "--user=root", "--conf-file=/dev/null", "--pid-file=", "--no-resolv", "--no-hosts", "--no-poll",
	"--listen-address=192.0.2.12", "--bind-interfaces", "--server=192.0.2.1", "--cache-size=10000", "--proxy-dnssec", "--edns-packet-max=1232",
	"--local=/lab.internal/", "--local=/0.0.10.in-addr.arpa/", "--host-record=gateway.lab.internal,10.0.0.1", "--host-record=builder.lab.internal,10.0.0.10",
	"--cname=nick.lab.internal,builder.lab.internal", "--mx-host=lab.internal,builder.lab.internal,10",
	"--txt-record=text.lab.internal,some text", "--srv-host=_web._tcp.lab.internal,builder.lab.internal,80,0,5",
}

// oraclePeer is a server that is asked, and from where.
type oraclePeer struct {
	name string
	from *nettest.Host
	at   string
}

// startOracle brings up labnet and the other three, with one scripted upstream and the same data of their own.
func startOracle(t *testing.T) []oraclePeer {
	t.Helper()
	l := newLabWithoutDNS(t)
	for _, addr := range []string{"192.0.2.11/24", "192.0.2.12/24", "192.0.2.13/24"} {
		l.lan.Run(t, "ip", "address", "add", addr, "dev", "eth0")
	}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	startScripted(t, l.lan, lanAddr+":53", w.answer)
	l.configure(t, oracleConfig)
	l.start(t, "--log-level", "info") // as users run it: at "debug" every question takes the long way
	g := l.standing(t, "asker", "vm1", "10.0.0.50")
	server, _, _ := strings.Cut(g.resolve(t, "lab.internal", "NS")[0], ".")
	dir := t.TempDir()
	for name, text := range map[string]string{
		"zone": oracleZone, "reverse": oracleReverse, "named.conf": fmt.Sprintf(oracleBIND, dir), "unbound.conf": fmt.Sprintf(oracleUnbound, dir),
	} {
		write(t, filepath.Join(dir, name), strings.ReplaceAll(text, "SERVER", server))
	}
	peers := []oraclePeer{
		{"labnet", g.Host, "10.0.0.1:53"}, {"unbound", l.lan, "192.0.2.11:53"}, {"dnsmasq", l.lan, "192.0.2.12:53"}, {"bind", l.lan, "192.0.2.13:53"},
	}
	_, unbound := l.lan.Start(t, "unbound", "-d", "-c", filepath.Join(dir, "unbound.conf"))
	_, dnsmasq := l.lan.Start(t, oracleDnsmasq...)
	_, named := l.lan.Start(t, "named", "-g", "-u", "root", "-n", "1", "-c", filepath.Join(dir, "named.conf"))
	for _, p := range peers[1:] {
		nettest.Eventually(t, 30*time.Second, func() error {
			out, err := p.from.Try("dig", "+time=1", "+tries=1", "@"+strings.TrimSuffix(p.at, ":53"), "ns.example.org")
			if err != nil || !strings.Contains(out, "NOERROR") {
				return fmt.Errorf("%s doesn't answer: %s\n%s%s%s", p.name, out, unbound(), dnsmasq(), named())
			}
			return nil
		})
	}
	return peers
}

// seen is what is compared of an answer, by the name that docs/dns-differences.md has for it.
type seen map[string]string

var seenFields = []string{"rcode", "flags", "question", "answer", "authority", "edns"}

// ask sends a question and says what came back.
func (p *oraclePeer) ask(conns map[string]net.Conn, q oracleQuestion) seen {
	raw, err := p.exchange(conns, q)
	if err != nil {
		return seen{"rcode": "silence"}
	}
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return seen{"rcode": "unreadable: " + err.Error()}
	}
	s := seen{"rcode": dns.RcodeToString[m.Rcode], "question": "kept", "edns": "none"}
	if opt := m.IsEdns0(); opt != nil {
		s["edns"] = fmt.Sprintf("version %d", opt.Version())
		if opt.Do() {
			s["edns"] += " do"
		}
	}
	if len(m.Question) == 0 {
		s["question"] = "left out"
	}
	if asked := new(dns.Msg); asked.Unpack(q.wire) == nil && len(asked.Question) == 1 && len(m.Question) == 1 && asked.Question[0] != m.Question[0] {
		s["question"] = "changed"
	}
	var flags []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"aa", m.Authoritative}, {"tc", m.Truncated}, {"rd", m.RecursionDesired}, {"ra", m.RecursionAvailable}, {"z", m.Zero}, {"ad", m.AuthenticatedData}, {"cd", m.CheckingDisabled}} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	s["flags"] = strings.Join(flags, " ")
	s["answer"], s["authority"] = plainly(m.Answer), plainly(m.Ns)
	return s
}

// plainly writes records without TTL and serial, which depend on when they are asked for, in one order.
func plainly(records []dns.RR) string {
	var lines []string
	for _, rr := range records {
		rr.Header().Ttl = 0
		if soa, ok := rr.(*dns.SOA); ok {
			soa.Serial = 0
		}
		lines = append(lines, strings.ToLower(strings.Join(strings.Fields(rr.String()), " ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

func (p *oraclePeer) exchange(conns map[string]net.Conn, q oracleQuestion) ([]byte, error) {
	if q.tcp {
		conn := conns["tcp "+p.name]
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write(append(bigend.BigEndian.AppendUint16(nil, uint16(len(q.wire))), q.wire...)); err != nil {
			return nil, err
		}
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return nil, err
		}
		raw := make([]byte, bigend.BigEndian.Uint16(length[:]))
		_, err := io.ReadFull(conn, raw)
		return raw, err
	}
	conn := conns["udp "+p.name]
	if _, err := conn.Write(q.wire); err != nil {
		return nil, err
	}
	buffer := make([]byte, 65535)
	_ = conn.SetReadDeadline(time.Now().Add(silenceAfter(q)))
	n, err := conn.Read(buffer)
	return buffer[:n], err
}

// silenceAfter is how long an answer is waited for: where none may be expected, not long.
func silenceAfter(q oracleQuestion) time.Duration {
	if strings.HasPrefix(q.id, "odd ") {
		return 2 * time.Second
	}
	return 20 * time.Second
}

// TestOracle asks labnet and three others the same questions; each difference is one that docs/dns-differences.md gives a reason for.
func TestOracle(t *testing.T) {
	nettest.NeedRoot(t)
	peers := startOracle(t)
	listed := readDifferences(t)
	questions := oracleQuestions()
	differences := 0
	for _, q := range questions {
		answers := make([]seen, len(peers))
		var asking sync.WaitGroup
		for i, p := range peers {
			conns := map[string]net.Conn{}
			network := map[bool]string{true: "tcp", false: "udp"}[q.tcp]
			conns[network+" "+p.name] = dial(t, p.from, network, p.at)
			asking.Go(func() {
				defer conns[network+" "+p.name].Close()
				answers[i] = p.ask(conns, q)
			})
		}
		asking.Wait()
		for i, p := range peers[1:] {
			for _, field := range seenFields {
				ours, theirs := answers[0][field], answers[i+1][field]
				if ours == theirs {
					continue
				}
				// What else is in an answer follows from its RCODE.
				if field != "rcode" && answers[0]["rcode"] != answers[i+1]["rcode"] {
					continue
				}
				differences++
				if !listed.explain(q.id, field, p.name) {
					t.Errorf("%s: %s: %s:\n  labnet %q\n  theirs %q", q.id, p.name, field, ours, theirs)
				}
			}
		}
	}
	t.Logf("%d questions, %d differences", len(questions), differences)
	for _, gone := range listed.unused() {
		t.Errorf("docs/dns-differences.md has a difference that isn't there: %s", gone)
	}
}

// difference is a line of docs/dns-differences.md.
type difference struct {
	questions []string // patterns: * is anything
	fields    []string
	peers     map[string]bool // and whether it was met
	line      string
}

type differences []*difference

func readDifferences(t *testing.T) differences {
	t.Helper()
	text, err := os.ReadFile("../../docs/dns-differences.md")
	if err != nil {
		t.Fatal(err)
	}
	var all differences
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 || !strings.HasPrefix(strings.TrimSpace(cells[0]), "`") {
			continue
		}
		d := &difference{peers: map[string]bool{}, line: strings.TrimSpace(line)}
		for q := range strings.SplitSeq(cells[0], ",") {
			d.questions = append(d.questions, strings.Trim(strings.TrimSpace(q), "`"))
		}
		for f := range strings.SplitSeq(cells[1], ",") {
			d.fields = append(d.fields, strings.TrimSpace(f))
		}
		for p := range strings.SplitSeq(cells[2], ",") {
			d.peers[strings.TrimSpace(p)] = false
		}
		all = append(all, d)
	}
	if len(all) == 0 {
		t.Fatal("docs/dns-differences.md has no table that can be read")
	}
	return all
}

func (all differences) explain(question, field, peer string) bool {
	known := false
	for _, d := range all {
		_, named := d.peers[peer]
		if named && slices.Contains(d.fields, field) && slices.ContainsFunc(d.questions, func(p string) bool { return fits(p, question) }) {
			d.peers[peer], known = true, true
		}
	}
	return known
}

func (all differences) unused() (lines []string) {
	for _, d := range all {
		for p, met := range d.peers {
			if !met {
				lines = append(lines, p+": "+d.line)
			}
		}
	}
	return lines
}

// fits tells whether a text is of a pattern's form, in which * is anything.
func fits(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	text = text[len(parts[0]):]
	for i, part := range parts[1:] {
		if i == len(parts)-2 {
			return strings.HasSuffix(text, part)
		}
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return text == ""
}
