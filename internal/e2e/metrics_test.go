package e2e

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"labnet/internal/nettest"
)

// metricsConfig has something for every metric. The parts that a reload changes stand in capitals.
const metricsConfig = `network "lab" {
  address = "10.0.0.1/24"
  bridge {
    attach = ["vm*"]
  }
  dhcp {
    range {
      start = "10.0.0.100"
      end   = "10.0.0.LAST"
    }
  }
}

resolver {
  cache_size = "CACHE"
  upstream "dead" {
    domains = ["dead.example"]
    servers = ["udp://192.0.2.1:5399"]
  }
  block {
    files = ["BLOCKED"]
  }
}

hook "slow" {
  command = ["HOOK"]
  on      = ["lease.bound"]
}

metrics {
  listen = "127.0.0.1:PORT"
}
`

// metered is a lab whose metrics are read.
type metered struct {
	*lab
	t      *testing.T
	daemon *daemon
	guest  *guest
	swarm  *swarm
	at     string // the metrics port
	moved  map[string]string
}

func (m *metered) write(last, cache, port string) {
	m.configure(m.t, strings.NewReplacer("LAST", last, "CACHE", cache, "PORT", port, "BLOCKED", m.blockList(0), "HOOK", filepath.Join(m.dir, "hook")).Replace(metricsConfig))
}

// act does something, and waits until it has moved what it is to move.
func (m *metered) act(what string, do func(), moves ...string) {
	m.t.Helper()
	before, _, err := m.scrape(m.t, m.at)
	if err != nil {
		m.t.Fatal(err)
	}
	do()
	for _, metric := range moves {
		m.moved[metric] = what
	}
	nettest.Eventually(m.t, 2*limit, func() error {
		now, _, err := m.scrape(m.t, m.at)
		if err != nil {
			return err
		}
		for _, metric := range moves {
			if !now.differs(before, metric) {
				return fmt.Errorf("%s: %s didn't move", what, metric)
			}
		}
		return nil
	})
}

// TestEveryMetricMoves does what each metric is there to show, and fails for one that nothing moves.
func TestEveryMetricMoves(t *testing.T) {
	nettest.NeedRoot(t)
	m := &metered{lab: newLab(t), t: t, at: "127.0.0.1:9167", moved: map[string]string{}}
	write(t, m.blockList(0), "ads.example\n")
	gate := filepath.Join(m.dir, "gate")
	program(t, m.dir, "hook", "while [ ! -e "+gate+" ]; do sleep 0.1; done")
	m.write("109", "1MiB", "9167")
	m.daemon, _ = m.start(t)
	m.guest = m.newAsker(t)
	m.swarm = newSwarm(t, m.guest.Host)

	m.answers(t, m.at, "/healthz", 200, "ok")
	m.answers(t, m.at, "/readyz", 200, "ready")
	m.answers(t, "", "/v1/health", 200, `"reasons":[]`)

	m.act("a lease", func() {
		if _, err := m.swarm.lease(swarmMAC(1), 10); err != nil {
			t.Fatal(err)
		}
	}, "labnet_dhcp_messages_total", "labnet_dhcp_decisions_total", "labnet_dhcp_leases", "labnet_dhcp_pool_leased_addresses",
		"labnet_dhcp_commit_seconds", "labnet_dhcp_committed_leases_total", "labnet_hook_waiting_events")
	m.act("a hook that ends", func() { write(t, gate, "") }, "labnet_hook_events_total", "labnet_hook_waiting_events")
	m.act("a question that an upstream answers", func() { m.guest.dig(t, "www.example.org") }, "labnet_dns_requests_total",
		"labnet_dns_responses_total", "labnet_dns_decisions_total", "labnet_dns_upstream_seconds", "labnet_dns_cache_entries", "labnet_dns_cache_bytes")
	m.act("the same, from the cache", func() { m.guest.dig(t, "www.example.org") }, "labnet_dns_responses_total", "labnet_dns_decisions_total")
	m.act("a blocked name over TCP", func() { m.guest.dig(t, "+tcp", "ads.example") }, "labnet_dns_requests_total", "labnet_dns_responses_total")
	m.act("an upstream that is dead", func() {
		m.guest.dig(t, "a.dead.example")
		m.guest.dig(t, "b.dead.example")
	}, "labnet_dns_upstream_failures_total", "labnet_dns_upstream_up")
	m.act("more names on the list", func() { replace(t, m.blockList(0), "ads.example\nmore.example\n") }, "labnet_dns_block_list_names")
	m.act("a guest with a wrong source address", func() {
		m.guest.Run(t, "ip", "address", "add", "10.99.0.1/32", "dev", "eth0")
		_, _ = m.guest.Try("ping", "-c", "1", "-W", "1", "-I", "10.99.0.1", "10.0.0.1")
	}, "labnet_net_rule_packets_total")
	m.act("an address that somebody deletes", func() { m.router.Run(t, "ip", "address", "del", "10.0.0.1/24", "dev", "br0") }, "labnet_net_drift_total")

	m.act("a reload of a broken file", func() {
		write(t, m.config, "network \"lab\" {\n")
		m.reload(t, m.daemon, "not reloaded")
	}, "labnet_config_last_reload_successful")
	m.act("a reload of a good one", func() {
		m.write("119", "64KiB", "9167")
		m.reload(t, m.daemon, "is reloaded")
	}, "labnet_config_last_reload_successful", "labnet_config_last_reload_success_timestamp_seconds", "labnet_dhcp_pool_addresses",
		"labnet_dns_cache_limit_bytes", "labnet_net_last_apply_timestamp_seconds")
	m.act("more answers than the cache holds", func() { m.askMany(1500) }, "labnet_dns_cache_evictions_total")

	m.act("a disk that fails", func() {
		mend := m.inject(t, "fdatasync,fsync", "error=EIO")
		_, _ = m.swarm.lease(swarmMAC(2), 2)
		m.answers(t, m.at, "/readyz", 503, "degraded: store")
		m.answers(t, "", "/v1/health", 503, `"kind":"store"`)
		m.answers(t, m.at, "/healthz", 200, "ok")
		mend()
	}, "labnet_dhcp_commit_failures_total")
	m.answers(t, m.at, "/readyz", 200, "ready")

	m.act("a bridge that can't be put back", func() {
		mend := m.injectAt(t, "write", "error=EIO", "/proc/sys/net/ipv4/conf/br0/promote_secondaries")
		m.act("the loss", func() { m.router.Run(t, "ip", "link", "del", "br0") }, "labnet_net_keep_failures_total")
		m.act("a reload then", func() { m.reload(t, m.daemon, "not reloaded") }, "labnet_net_last_apply_success")
		mend()
	}, "labnet_net_drift_total")
	m.act("a reload of the same file", func() { m.reload(t, m.daemon, "is reloaded") }, "labnet_net_last_apply_success")

	m.act("a fight", func() {
		nettest.Eventually(t, 4*limit, func() error {
			_, _ = m.router.Try("ip", "address", "del", "10.0.0.1/24", "dev", "br0")
			return contains(m.daemon.output(), "repairs rest")
		})
	}, "labnet_net_repairs_resting", "labnet_problems")
	m.answers(t, m.at, "/readyz", 503, "drift")
	m.act("a block list that goes", func() { m.router.Run(t, "rm", m.blockList(0)) }, "labnet_dns_block_lists_failing")

	_, families, err := m.scrape(t, m.at)
	if err != nil {
		t.Fatal(err)
	}
	_, onSocket, err := m.scrape(t, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, metric := range documented(t) {
		if !families[metric] || !onSocket[metric] {
			t.Errorf("%s: on the port: %v, on the socket: %v", metric, families[metric], onSocket[metric])
		}
		// What runs doesn't change while it runs.
		if m.moved[metric] == "" && metric != "labnet_build_info" {
			t.Errorf("nothing has moved %s", metric)
		}
	}
}

// askMany asks for many names, each with an answer of its own.
func (m *metered) askMany(names int) {
	m.t.Helper()
	var questions strings.Builder
	for i := range names {
		fmt.Fprintf(&questions, "n%d.tracker.example.org\n", i)
	}
	file := filepath.Join(m.dir, "questions")
	write(m.t, file, questions.String())
	m.guest.dig(m.t, "+noall", "-f", file)
}

// TestMetricsPort opens, moves and closes the port by reloads, and says who has one that is taken.
func TestMetricsPort(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLabWithoutDNS(t)
	config := func(at string) {
		text := "network \"lab\" {\n  address = \"10.0.0.1/24\"\n}\n"
		if at != "" {
			text += "metrics {\n  listen = \"" + at + "\"\n}\n"
		}
		l.configure(t, text)
	}
	config("127.0.0.1:9170")
	squatter, _ := l.router.Start(t, "nc", "-l", "-k", "127.0.0.1", "9170")
	nettest.Eventually(t, limit, func() error {
		_, err := l.router.Try("nc", "-z", "127.0.0.1", "9170")
		return err
	})
	// Guests don't go without their network for it.
	d, _ := l.start(t)
	if said := l.labnet(t, "status"); !strings.Contains(said, "port 9170/tcp of 127.0.0.1 is taken by nc (pid") {
		t.Errorf("the status says:\n%s", said)
	}
	if err := squatter.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, limit, func() error {
		_, _, err := l.scrape(t, "127.0.0.1:9170")
		return err
	})
	config("")
	l.reload(t, d, "is reloaded")
	if _, _, err := l.scrape(t, "127.0.0.1:9167"); err == nil {
		t.Error("a port is open that nobody asked for")
	}
	if _, families, err := l.scrape(t, ""); err != nil || !families["labnet_build_info"] {
		t.Errorf("on the socket: %v, %v", families, err)
	}
	for _, at := range []string{"127.0.0.1:9167", "0.0.0.0:9167", "10.0.0.1:9168"} {
		config(at)
		l.reload(t, d, "is reloaded")
		if _, _, err := l.scrape(t, strings.Replace(at, "0.0.0.0", "127.0.0.1", 1)); err != nil {
			t.Errorf("after a reload to %s: %v", at, err)
		}
	}
	if _, _, err := l.scrape(t, "127.0.0.1:9167"); err == nil {
		t.Error("the former port is still open")
	}

	var taken net.Listener
	l.router.Do(t, func() {
		var err error
		if taken, err = net.Listen("tcp", "127.0.0.1:9169"); err != nil {
			t.Error(err)
		}
	})
	if taken == nil {
		t.FailNow()
	}
	defer taken.Close()
	config("127.0.0.1:9169")
	if said := l.reload(t, d, "not reloaded"); !strings.Contains(said, "port 9169/tcp of 127.0.0.1 is taken by") {
		t.Errorf("the reload says:\n%s", said)
	}
	if _, _, err := l.scrape(t, "10.0.0.1:9168"); err != nil {
		t.Errorf("after a reload that is refused: %v", err)
	}
	config("")
	l.reload(t, d, "is reloaded")
	if _, _, err := l.scrape(t, "10.0.0.1:9168"); err == nil {
		t.Error("the port is still open")
	}
}

// TestProfiles takes one that lasts longer than a request may take to come, and one of each other kind.
func TestProfiles(t *testing.T) {
	nettest.NeedRoot(t)
	t.Parallel()
	l := newLabWithoutDNS(t)
	l.configure(t, "network \"lab\" {\n  address = \"10.0.0.1/24\"\n}\n")
	l.start(t)
	began := time.Now()
	for _, path := range []string{"heap", "goroutine", "allocs", "trace?seconds=1", "profile?seconds=11"} {
		status, body, err := l.fetch(t, "", "/debug/pprof/"+path)
		if err != nil || status != 200 || len(body) < 100 {
			t.Errorf("%s: %d, %d bytes, %v", path, status, len(body), errors.Join(err))
		}
	}
	if time.Since(began) < 12*time.Second {
		t.Error("a profile was cut short")
	}
	if status, _, err := l.fetch(t, "", "/debug/pprof/cmdline"); status != 404 || err != nil {
		t.Errorf("the command line: %d, %v", status, err)
	}
}
