package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"labnet/bench/stage"
)

// Every peer has one thread that answers, no log of questions, and no DNSSEC validation: labnet has none, and the upstream signs nothing.

// startDnsmasq starts dnsmasq with as many questions under way as anybody asks.
func startDnsmasq(b *bed, s setup) (*stage.Process, error) {
	hosts, err := b.hostsFile()
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, nil, "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--bind-interfaces",
		"--interface="+bridge, "--except-interface=lo", "--pid-file=", "--log-facility=-", "--no-resolv", "--no-hosts",
		"--server="+b.upstream().String(), "--cache-size="+s.capacity(), "--dns-forward-max=1000", "--addn-hosts="+hosts)
}

// hostsFile writes the server's own names as hosts(5) has them.
func (b *bed) hostsFile() (string, error) {
	var text strings.Builder
	for i := range b.hosts {
		fmt.Fprintf(&text, "%v %s\n", b.host(i), localName(i))
	}
	return b.write("hosts", text.String())
}

const unboundConfig = `server:
  directory: %q
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: ""
  do-daemonize: no
  do-ip6: no
  interface: %v
  access-control: 10.0.0.0/8 allow
  num-threads: 1
  module-config: "iterator"
  msg-cache-size: %[3]d
  rrset-cache-size: %[4]d
  incoming-num-tcp: 64
  local-zone: %q static
%[6]sforward-zone:
  name: "."
  forward-addr: %[7]v
remote-control:
  control-enable: no
`

func startUnbound(b *bed, s setup) (*stage.Process, error) {
	var local strings.Builder
	for i := range b.hosts {
		fmt.Fprintf(&local, "  local-data: \"%s. A %v\"\n", localName(i), b.host(i))
	}
	const message, rrset = 600, 600 // bytes that it may take, so that all of them fit
	text := fmt.Sprintf(unboundConfig, b.dir, b.at().Addr(), s.size()*message, s.size()*rrset, localDomain+".", local.String(), b.upstream())
	file, err := b.write("unbound.conf", text)
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, nil, "unbound", "-d", "-p", "-c", file)
}

const kresdConfig = `net.listen(%q, 53, { kind = 'dns' })
modules.unload('ta_update')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('detect_time_skew')
trust_anchors.remove('.')
cache.open(%d, 'lmdb://%s')
modules = { 'policy', 'hints > iterate' }
hints.add_hosts(%q)
policy.add(policy.all(policy.FORWARD({ %q })))
`

// startKresd starts Knot Resolver with its cache in memory.
func startKresd(b *bed, s setup) (*stage.Process, error) {
	if err := os.MkdirAll(b.inMemory(), 0o755); err != nil {
		return nil, err
	}
	hosts, err := b.hostsFile()
	if err != nil {
		return nil, err
	}
	const cost = 1024 // bytes that a name may take, so that all of them fit
	text := fmt.Sprintf(kresdConfig, b.at().Addr(), s.size()*cost, b.inMemory(), hosts, b.upstream())
	file, err := b.write("kresd.conf", text)
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, nil, "kresd", "-n", "-c", file, b.dir)
}

const dnsdistConfig = `setSecurityPollSuffix("")
setLocal(%q)
setACL({"10.0.0.0/8"})
newServer({address="%v:53"})
getPool(""):setCache(newPacketCache(%s))
`

// startDnsdist starts dnsdist, which has no names of its own by the thousand.
func startDnsdist(b *bed, s setup) (*stage.Process, error) {
	file, err := b.write("dnsdist.conf", fmt.Sprintf(dnsdistConfig, b.at(), b.upstream(), s.capacity()))
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, nil, "dnsdist", "--supervised", "--disable-syslog", "-C", file)
}

const bindConfig = `options {
  directory %q;
  pid-file none;
  lock-file none;
  listen-on { %v; };
  listen-on-v6 { none; };
  allow-query { any; };
  recursion yes;
  forward only;
  forwarders { %v; };
  dnssec-validation no;
  max-cache-size %d;
  tcp-clients 1000;
  recursive-clients 10000;
};
controls { };
zone %q { type primary; file "local.zone"; };
`

func startBIND(b *bed, s setup) (*stage.Process, error) {
	var zone strings.Builder
	fmt.Fprint(&zone, "$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 10.0.0.1\n")
	for i := range b.hosts {
		name, _, _ := strings.Cut(localName(i), ".")
		fmt.Fprintf(&zone, "%s A %v\n", name, b.host(i))
	}
	if _, err := b.write("local.zone", zone.String()); err != nil {
		return nil, err
	}
	const cost = 2048 // bytes that a name may take, so that all of them fit
	file, err := b.write("named.conf", fmt.Sprintf(bindConfig, b.dir, b.at().Addr(), b.upstream(), s.size()*cost, localDomain))
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, nil, "named", "-g", "-u", "root", "-n", strconv.Itoa(s.workers), "-c", file)
}
