package dnsserver

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/histogram"
)

// Traffic is what clients of one network have asked, and were answered, since it is there.
type Traffic struct {
	Network string
	UDP     map[string]uint64 // questions by type, "other" for the rare ones; what never came isn't there
	TCP     map[string]uint64
	Answers []Answers // ordered; what never was isn't there
}

// Answers counts answers of one kind.
type Answers struct {
	Rcode  string // NOERROR, NXDOMAIN, …, "other" for the rare ones
	Source string // local, cache, stale, upstream, policy, none
	Count  uint64
}

// totals is ledgers added up.
type totals struct {
	udp, tcp [typeCount]uint64
	answers  [answerPlaces]uint64
}

func (t *totals) add(l *ledger, asked *[typeCount]uint64) {
	for i := range l.asked {
		asked[i] += l.asked[i].Load()
	}
	for i := range l.answers {
		t.answers[i] += l.answers[i].Load()
	}
}

func (t *totals) addListener(l *listener) {
	for _, socket := range l.udp {
		t.add(&socket.ledger, &t.udp)
	}
	t.add(&l.ledger, &t.tcp)
}

func (t *totals) plus(other *totals) {
	for i := range t.udp {
		t.udp[i] += other.udp[i]
		t.tcp[i] += other.tcp[i]
	}
	for i := range t.answers {
		t.answers[i] += other.answers[i]
	}
}

// departed are the counts of the listeners that a network has had, so that they never become less.
type departed struct {
	sum      totals
	retiring map[*listener]bool // that still answer what they had begun
}

// depart keeps the counts of a listener that goes, for the network that it was of. s.mu is held.
func (s *Server) depart(l *listener, network string) {
	d := s.departed[network]
	if d == nil {
		d = &departed{retiring: map[*listener]bool{}}
		s.departed[network] = d
	}
	d.retiring[l] = true
}

// settleDeparted adds up those that have gone since, and forgets networks that the configuration hasn't any more. s.mu is held.
func (s *Server) settleDeparted(snap *snapshot) {
	there := map[string]bool{}
	for _, v := range snap.views {
		there[v.network] = true
	}
	for network, d := range s.departed {
		if !there[network] {
			delete(s.departed, network)
			continue
		}
		for l := range d.retiring {
			if l.gone.Load() {
				d.sum.addListener(l)
				delete(d.retiring, l)
			}
		}
	}
}

// Traffic returns the networks that are served, ordered by name. Safe for concurrent use.
func (s *Server) Traffic() []Traffic {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := s.snap.Load()
	s.settleDeparted(snap)
	sums := map[string]*totals{}
	for at, v := range snap.views {
		l := s.listeners[at]
		if l == nil {
			continue
		}
		if sums[v.network] == nil {
			sums[v.network] = &totals{}
		}
		sums[v.network].addListener(l)
	}
	out := make([]Traffic, 0, len(sums))
	for network, sum := range sums {
		if d := s.departed[network]; d != nil {
			sum.plus(&d.sum)
			for l := range d.retiring {
				sum.addListener(l)
			}
		}
		out = append(out, sum.traffic(network))
	}
	slices.SortFunc(out, func(a, b Traffic) int { return cmp.Compare(a.Network, b.Network) })
	return out
}

func (t *totals) traffic(network string) Traffic {
	out := Traffic{Network: network, UDP: byType(&t.udp), TCP: byType(&t.tcp)}
	for i, n := range t.answers {
		if n == 0 {
			continue
		}
		rcode := "other"
		if r := countedRcodes[i%rcodeCount]; r >= 0 {
			rcode = rcodeName(r)
		}
		out.Answers = append(out.Answers, Answers{Rcode: rcode, Source: sourceNames[i/rcodeCount], Count: n})
	}
	return out
}

func byType(asked *[typeCount]uint64) map[string]uint64 {
	out := map[string]uint64{}
	for i, n := range asked {
		switch {
		case n == 0:
		case i == 0:
			out["other"] = n
		default:
			out[dns.TypeToString[countedTypes[i]]] = n
		}
	}
	return out
}

// rcodeName is the name of an RCODE; 16 alone has two (RFC 6891, RFC 8945), of which we only mean the first.
func rcodeName(rcode int) string {
	if rcode == dns.RcodeBadVers {
		return "BADVERS"
	}
	return dns.RcodeToString[rcode]
}

// UpstreamTimes is how one upstream does, whatever groups name it.
type UpstreamTimes struct {
	Addr     netip.AddrPort
	Up       bool
	Answers  histogram.Reading // how long they took, from the first message on
	Failures uint64            // messages that came to nothing: no answer, none that can be read, a network that refuses
}

// newUpstreamTimes has bounds from a server of the LAN to the patience of a stub resolver.
func newUpstreamTimes() *histogram.Histogram {
	const ms = time.Millisecond
	return histogram.New(ms/4, ms/2, ms, 5*ms/2, 5*ms, 10*ms, 25*ms, 50*ms, 100*ms, 250*ms, 500*ms, 1000*ms, 2500*ms, 5000*ms)
}

// UpstreamTimes returns the upstreams of all groups, each once, ordered by address. Safe for concurrent use.
func (s *Server) UpstreamTimes() []UpstreamTimes {
	var all []UpstreamTimes
	seen := map[netip.AddrPort]bool{}
	for g := range s.snap.Load().allGroups() {
		for _, u := range g.servers {
			if seen[u.addr] {
				continue
			}
			seen[u.addr] = true
			status := u.status()
			all = append(all, UpstreamTimes{
				Addr: u.addr, Up: !status.Down && !status.Looping, Answers: u.times.Read(), Failures: u.lost.Load(),
			})
		}
	}
	slices.SortFunc(all, func(a, b UpstreamTimes) int { return a.Addr.Compare(b.Addr) })
	return all
}

// CacheUse is how full the cache is.
type CacheUse struct {
	Entries int
	Bytes   int64
	Limit   int64  // bytes that the entries may take
	Evicted uint64 // that had to go before they expired, since Listen
}

// CacheUse takes no longer for many answers than for few. Safe for concurrent use.
func (s *Server) CacheUse() CacheUse {
	var use CacheUse
	for i := range s.cache.shards {
		shard := &s.cache.shards[i]
		shard.mu.Lock()
		use.Entries += shard.entries
		use.Bytes += shard.size
		use.Limit += shard.limit
		use.Evicted += shard.evicted
		shard.mu.Unlock()
	}
	return use
}
