package metrics

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"labnet/internal/histogram"
)

// collector turns readings into metrics.
type collector struct {
	version string
	read    func() Reading
	descs   map[string]*prometheus.Desc
	kinds   map[string]kind
}

func newCollector(version string, read func() Reading) *collector {
	c := &collector{version: version, read: read, descs: map[string]*prometheus.Desc{}, kinds: map[string]kind{}}
	for _, m := range table() {
		c.descs[m.name] = prometheus.NewDesc(m.name, m.help, m.labels, nil)
		c.kinds[m.name] = m.kind
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	r := c.read()
	e := emitter{c, out}
	e.value(nameBuildInfo, 1, c.version, runtime.Version())
	for kind, n := range r.Problems {
		e.value(nameProblems, float64(n), kind)
	}
	e.truth(nameReloadSuccessful, !r.ReloadFailed)
	e.moment(nameReloadTime, r.Reloaded)
	e.net(&r.Net)
	for i := range r.Networks {
		e.dhcp(&r.Networks[i])
	}
	e.histogram(nameCommitTime, r.Commits.Times)
	e.count(nameCommitFailures, r.Commits.Failed)
	e.count(nameCommitted, r.Commits.Leases)
	e.dns(&r.DNS)
	for _, h := range r.Hooks {
		e.count(nameHookEvents, h.Delivered, h.Name, "delivered")
		e.count(nameHookEvents, h.Failed, h.Name, "failed")
		e.count(nameHookEvents, h.Dropped, h.Name, "dropped")
		e.value(nameHookWaiting, float64(h.Waiting), h.Name)
	}
}

// emitter hands out the metrics of one reading.
type emitter struct {
	*collector
	out chan<- prometheus.Metric
}

func (e *emitter) net(n *Net) {
	if !n.Applied.IsZero() {
		e.truth(nameApplySuccess, !n.ApplyFailed)
		e.moment(nameApplyTime, n.Applied)
	}
	e.count(nameDrift, n.Repaired)
	e.count(nameKeepFailures, n.Failures)
	e.truth(nameResting, n.Resting)
	for rule, packets := range n.Packets {
		e.count(nameRulePackets, packets, rule.Table, rule.Name)
	}
}

func (e *emitter) dhcp(n *DHCPNetwork) {
	for _, m := range n.Messages {
		direction := "in"
		if m.Sent {
			direction = "out"
		}
		e.count(nameDHCPMessages, m.Count, n.Name, direction, m.Type)
	}
	for reason, count := range n.Decisions {
		e.count(nameDHCPDecisions, count, n.Name, reason)
	}
	for state, count := range n.Leases {
		e.value(nameLeases, float64(count), n.Name, state)
	}
	e.value(namePool, float64(n.Addresses), n.Name)
	e.value(namePoolLeased, float64(n.Leased), n.Name)
}

func (e *emitter) dns(d *DNS) {
	for _, n := range d.Networks {
		for kind, count := range n.UDP {
			e.count(nameDNSRequests, count, n.Name, "udp", kind)
		}
		for kind, count := range n.TCP {
			e.count(nameDNSRequests, count, n.Name, "tcp", kind)
		}
		for _, a := range n.Answers {
			e.count(nameDNSResponses, a.Count, n.Name, a.Rcode, a.Source)
		}
	}
	for reason, count := range d.Decisions {
		e.count(nameDNSDecisions, count, reason)
	}
	for _, u := range d.Upstreams {
		e.histogram(nameUpstreamTime, u.Times, u.Addr)
		e.count(nameUpstreamFailures, u.Failures, u.Addr)
		e.truth(nameUpstreamUp, u.Up, u.Addr)
	}
	e.value(nameCacheEntries, float64(d.CacheEntries))
	e.value(nameCacheBytes, float64(d.CacheBytes))
	e.value(nameCacheLimit, float64(d.CacheLimit))
	e.count(nameCacheEvictions, d.Evicted)
	e.value(nameBlockedNames, float64(d.BlockedNames))
	e.value(nameBlockListsFailed, float64(d.BlockFailing))
}

func (e *emitter) count(name string, n uint64, labels ...string) {
	e.value(name, float64(n), labels...)
}

func (e *emitter) truth(name string, is bool, labels ...string) {
	n := 0.0
	if is {
		n = 1
	}
	e.value(name, n, labels...)
}

func (e *emitter) moment(name string, at time.Time) {
	e.value(name, float64(at.UnixMilli())/1000)
}

func (e *emitter) value(name string, n float64, labels ...string) {
	kind := prometheus.GaugeValue
	if e.kinds[name] == kindCounter {
		kind = prometheus.CounterValue
	}
	e.send(name)(prometheus.NewConstMetric(e.descs[name], kind, n, valid(labels)...))
}

func (e *emitter) histogram(name string, r histogram.Reading, labels ...string) {
	below := map[float64]uint64{}
	var sum uint64
	for i, bound := range r.Bounds {
		sum += r.Counts[i]
		below[bound.Seconds()] = sum
	}
	e.send(name)(prometheus.NewConstHistogram(e.descs[name], r.Count(), r.Sum.Seconds(), below, valid(labels)...))
}

// send hands out a metric, or says with the others why it can't be made.
func (e *emitter) send(name string) func(m prometheus.Metric, err error) {
	return func(m prometheus.Metric, err error) {
		if err != nil {
			m = prometheus.NewInvalidMetric(e.descs[name], err)
		}
		e.out <- m
	}
}

// valid makes label values what Prometheus takes.
func valid(labels []string) []string {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "�")
	}
	return labels
}
