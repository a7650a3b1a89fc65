package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"labnet/bench/dns/generator"
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
    domain = %q
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

// startLabnet starts labnet with its defaults, but for DHCP, which is not measured.
func (o *options) startLabnet(b *bed, s setup) (*stage.Process, error) {
	var hosts strings.Builder
	for i := range b.hosts {
		name, _, _ := strings.Cut(localName(i), ".")
		fmt.Fprintf(&hosts, "  host %q {\n    address = %q\n  }\n", name, b.host(i))
	}
	text := fmt.Sprintf(labnetConfig, b.server(), bridge, port, localDomain, hosts.String(), strconv.Itoa(s.cacheSize())+"MiB", b.upstream())
	file, err := b.write("labnet.hcl", text)
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, []string{"GOMAXPROCS=" + strconv.Itoa(s.workers)},
		o.labnet, "-c", file, "--state-dir", filepath.Join(b.dir, "state"), "--run-dir", filepath.Join(b.dir, "run"), "run")
}

// startRuledEcho lets labnet make its bridge and its firewall, and ends it, which leaves both; then it starts the echo. So much is
// the host's part of what labnet costs.
func (o *options) startRuledEcho(b *bed, s setup) (*stage.Process, error) {
	labnet, err := o.startLabnet(b, setup{cpus: s.cpus, workers: s.workers})
	if err != nil {
		return nil, err
	}
	err = b.awaitAnswer(labnet)
	labnet.Stop()
	if err != nil {
		return nil, fmt.Errorf("labnet: %w; it says:\n%s", err, labnet.LastWords())
	}
	return o.startEcho(b, s)
}

// awaitAnswer waits for any answer at all of a server that is starting.
func (b *bed) awaitAnswer(p *stage.Process) error {
	client, err := generator.Open(generator.Config{Server: b.at(), Sources: b.clients()[:1], Window: 1})
	if err != nil {
		return err
	}
	defer client.Close()
	for deadline := time.Now().Add(startLimit); ; {
		got, err := client.Run(context.Background(), generator.Load{From: generator.Unique("", localDomain), Count: 1, Timeout: 50 * time.Millisecond})
		if err != nil || got.Answers+got.Failed+got.Wrong > 0 {
			return err
		}
		if p.Ended() || time.Now().After(deadline) {
			return errors.New("the server doesn't serve")
		}
	}
}
