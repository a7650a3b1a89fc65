package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
