package main

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"labnet/bench/stage"
)

const labnetConfig = `network "vm" {
  address = %q

  bridge {
    name   = %q
    attach = [%q]
  }
  dhcp {
    enabled = false
  }
  dns {
    enabled = %t
    domain  = %q
  }
%s}

resolver {
  cache_size = %q

  upstream "default" {
    servers = ["udp://%v"]
  }
}
`

// defaultCache is labnet's cache_size, if it has to hold no particular number of names; a name that is cached may take nameCost.
const (
	defaultCache = 64 << 20
	nameCost     = 512
)

// cacheSize is labnet's cache_size in MiB.
func (s setup) cacheSize() int {
	if s.names == 0 {
		return defaultCache >> 20
	}
	return (s.names*nameCost)>>20 + 1
}

// writeLabnet writes labnet's file: its defaults, but for DHCP, which is not measured. It returns the arguments of a start.
func (o *options) writeLabnet(b *bed, s setup, dns bool) ([]string, error) {
	var hosts strings.Builder
	for i := range b.hosts {
		name, _, _ := strings.Cut(localName(i), ".")
		fmt.Fprintf(&hosts, "  host %q {\n    address = %q\n  }\n", name, b.host(i))
	}
	text := fmt.Sprintf(labnetConfig, b.server(), bridge, port, dns, localDomain, hosts.String(), strconv.Itoa(s.cacheSize())+"MiB", b.upstream())
	file, err := b.write("labnet.hcl", text)
	return []string{o.labnet, "-c", file, "--state-dir", filepath.Join(b.dir, "state"), "--run-dir", filepath.Join(b.dir, "run"), "run"}, err
}

func (o *options) startLabnet(b *bed, s setup) (*stage.Process, error) {
	args, err := o.writeLabnet(b, s, true)
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, []string{"GOMAXPROCS=" + strconv.Itoa(s.workers)}, args...)
}

// startRuledEcho lets labnet make its bridge and its firewall, and ends it, which leaves both; then it starts the echo. So much is
// the host's part of what labnet costs.
func (o *options) startRuledEcho(b *bed, s setup) (*stage.Process, error) {
	args, err := o.writeLabnet(b, setup{}, false)
	if err != nil {
		return nil, err
	}
	labnet, err := b.start(s.cpus, nil, args...)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if stage.IP("-n", b.name, "route", "get", b.clients()[0].String(), "from", b.server().Addr().String()) == nil {
			break
		}
		if labnet.Ended() || time.Now().After(deadline) {
			labnet.Stop()
			return nil, fmt.Errorf("labnet made no bridge; it says:\n%s", labnet.LastWords())
		}
	}
	labnet.Stop()
	return o.startEcho(b, s)
}
