package dnsserver

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// client is who asked, and how to answer later.
type client struct {
	addr netip.AddrPort
	at   netip.AddrPort // the address asked
	tcp  bool
	back answerer
	// trail notes the decision of a question that is explained: nil for those of clients.
	trail *trail
	// ledger counts the question and its answer; nil: nobody does.
	ledger *ledger
}

// answerer takes the answer to a question that was left pending, once for each. It must not block. *udpSocket and *connection are
// answerers.
type answerer interface {
	answer(message []byte, to netip.AddrPort)
}

func (c *client) reply(message []byte) { c.back.answer(message, c.addr) }

// lookup is one client's question on its way to an answer.
type lookup struct {
	query
	client client
	snap   *snapshot
	view   *view
	// The chain so far, and the name that it leads to.
	chain  []dns.RR
	target name
	hops   int
	local  bool // the chain began here: the answer is authoritative
	lan    bool // the target is asked of upstreams on private addresses only
	exempt bool // from the block lists, by an exception for the name asked
	// whose is how far the names may point inside that the chain has led over.
	whose standing
	why   reason
	ad    bool
	began time.Time
	group *group    // the upstreams that it belongs to; nil for what is answered here
	by    *upstream // whose answer it is; nil if none was asked for it
}

// serve decides one message. It appends the answer to out; with pending, the client's send gets it later; with neither,
// there is nothing to say. It never blocks: misses are left to flights. It is the whole of the decision; fast is a short cut through it.
func (s *Server) serve(packet []byte, c client, out []byte) (reply []byte, pending bool) {
	start := len(out)
	defer func() {
		if p := recover(); p != nil {
			s.recovered(p)
			q, _, _, _ := parseQuery(packet, c.tcp)
			reply, pending = q.appendError(out[:start], dns.RcodeServerFailure, nil), false
		}
	}()
	snap := s.snap.Load()
	v := snap.views[c.at]
	if v == nil {
		return out, false // a network that is being removed
	}
	q, rcode, why, ok := parseQuery(packet, c.tcp)
	if !ok {
		s.stats.count(ignored)
		return out, false
	}
	c.ledger.ask(q.qtype)
	now := time.Now()
	if q.cookied {
		s.cookies.complete(&q, c.addr.Addr(), now)
	}
	if q.asksIdle {
		q.idle = s.tcp.idle()
	}
	l := &lookup{query: q, client: c, snap: snap, view: v, target: q.name, began: now}
	admission := snap.admission(v, c.addr.Addr())
	c.trail.admission(l, admission)
	if admission == refused {
		return s.reject(l, out, dns.RcodeRefused, refusedClient, explain(dns.ExtendedErrorCodeProhibited, "not a client of this network")), false
	}
	if rcode == 0 && q.question == nil {
		if !s.cookies.good(&q, c.addr.Addr(), now) {
			rcode = dns.RcodeBadCookie
		}
		return s.reject(l, out, rcode, cookieAsked, nil), false
	}
	if rcode == 0 {
		rcode, why = q.refuse()
	}
	if rcode != 0 {
		return s.reject(l, out, rcode, why, nil), false
	}
	if s.cameBack(&l.query, c.addr.Addr()) {
		return s.reject(l, out, dns.RcodeRefused, refusedLoop, explain(dns.ExtendedErrorCodeOther, "a loop: this question came from here")), false
	}
	p, pending := s.advance(l, now)
	if pending {
		return out, true
	}
	return s.finish(l, p, out), false
}

// refuse tells the questions that are understood, and not answered whatever they are about.
func (q *query) refuse() (rcode int, why reason) {
	switch {
	case q.qtype == dns.TypeNone || q.qtype == dns.TypeOPT || q.qtype == dns.TypeTSIG:
		return dns.RcodeFormatError, formatError
	case q.qclass != dns.ClassINET:
		return dns.RcodeRefused, refusedClass
	case q.qtype == dns.TypeAXFR || q.qtype == dns.TypeIXFR || q.qtype == dns.TypeTKEY:
		return dns.RcodeRefused, refusedTransfer
	case q.qtype == dns.TypeMAILA || q.qtype == dns.TypeMAILB: // obsolete, RFC 1035 section 3.2.3
		return dns.RcodeNotImplemented, notImplemented
	}
	return 0, 0
}

// advance follows a question through local names and the cache until it has an answer, or must wait for an upstream. Neither: the same
// message waits already, and gets the answer.
func (s *Server) advance(l *lookup, now time.Time) (p *packed, pending bool) {
	for ; l.hops <= maxChain; l.hops++ {
		f, lan := l.snap.local(l.view, l.target, l.qtype, now)
		if l.client.trail != nil {
			l.client.trail.local(l, f, lan, now)
		}
		if f.status != notOurs {
			if l.hops == 0 {
				l.local, l.why = true, f.why
			}
			if _, addr := l.snap.rebind.withhold(f.answer, l.whose); addr.IsValid() {
				p := s.withheld(l, addr)
				l.client.trail.judged(l, f.answer)
				return p, false
			}
			l.chain = append(l.chain, f.answer...)
			if f.next != "" {
				l.target = f.next
				continue
			}
			rcode := dns.RcodeSuccess
			if f.status == nxDomain {
				rcode = dns.RcodeNameError
			}
			p := l.pack(rcode, l.chain, f.authority)
			if f.fixed && l.hops == 0 && int(p.rcode) == rcode && l.client.trail == nil {
				s.cache.keepOurs(&l.query, p, l.why, l.snap.generation, time.Duration(never-s.cache.moment(now)), s.cache.moment(now))
			}
			return p, false
		}
		listed := l.listed()
		l.client.trail.listed(l, listed)
		if listed != nil {
			return listed, false
		}
		if l.qtype == dns.TypeANY {
			if l.hops == 0 {
				l.why = minimalAny
			}
			return l.pack(dns.RcodeSuccess, append(l.chain, anyAnswer(l.target)), nil), false
		}
		l.lan = lan
		a := l.asked()
		if l.group == nil {
			l.group = a.group
		}
		if a.group == nil || len(a.group.askable(lan)) == 0 {
			if l.client.trail == nil {
				s.lonely(a.group)
			}
			l.client.trail.lonely(l, &a)
			return l.fail(noUpstream, dns.ExtendedErrorCodeNoReachableAuthority, "no upstream to ask"), false
		}
		e, answer, pending := s.remembered(l, &a, now)
		if e == nil {
			return answer, pending
		}
		direct := l.hops == 0 && l.snap.shortcut(l.target)
		kept := e.packed()
		p, done := s.absorb(l, &kept, e.kind(), now)
		if direct && done && l.client.trail == nil {
			s.direct(l, e, p, s.cache.moment(now))
		}
		if done {
			return p, false
		}
	}
	return l.fail(chainTooLong, dns.ExtendedErrorCodeOther, "too long a chain of CNAMEs"), false
}

// absorb takes the answer for the target. With done, p is the answer to the whole question; else the target is the next.
func (s *Server) absorb(l *lookup, p *packed, why reason, now time.Time) (answer *packed, done bool) {
	if l.hops == 0 {
		l.why = why
	}
	p = l.snap.amended(p, l.target)
	if p.rcode == dns.RcodeServerFailure {
		l.why = why
		return failure(l.name, l.qtype, dns.RcodeServerFailure, why, p.options()), true
	}
	if instead := s.judge(l, p, now); instead != nil {
		l.client.trail.judgedAnswer(l, p, s.cache.moment(now))
		return instead, true
	}
	if len(l.chain) == 0 && p.onward == "" {
		return p, true
	}
	records, authority, err := p.records(s.cache.moment(now))
	if err != nil {
		return l.fail(upstreamFailure, dns.ExtendedErrorCodeOther, "unreadable answer"), true
	}
	l.ad = p.ad && (len(l.chain) == 0 || l.ad)
	l.chain = append(l.chain, records...)
	if p.onward != "" {
		a := l.asked()
		l.whose = max(l.whose, l.snap.standingOf(&a, records))
		l.hops += countCNAMEs(records) - 1
		l.target = p.onward
		return nil, false
	}
	return l.pack(int(p.rcode), l.chain, authority), true
}

// asked is the question for the target.
func (l *lookup) asked() asked {
	return asked{group: l.snap.route(l.target), name: l.target, qtype: l.qtype, do: l.do, cd: l.cd, lan: l.lan}
}

// direct makes the way short for those who ask the same: to the entry, or to the answer that is given instead of it, for a while.
func (s *Server) direct(l *lookup, e *entry, p *packed, now moment) {
	ttl := time.Duration(e.expires - now)
	switch {
	case l.why == blocked:
		s.cache.keepOurs(&l.query, p, l.why, l.snap.generation, min(ttl, blockTTL*time.Second), now)
	case l.why == rebind:
		s.cache.keepOurs(&l.query, p, l.why, l.snap.generation, min(ttl, rebindTTL*time.Second), now)
	case e.onwardSize == 0:
		e.route.Store(l.snap.generation)
	}
}

func countCNAMEs(records []dns.RR) int {
	n := 0
	for _, rr := range records {
		if rr.Header().Rrtype == dns.TypeCNAME {
			n++
		}
	}
	return n
}

func (l *lookup) pack(rcode int, answer, authority []dns.RR) *packed {
	p, err := pack(l.name, l.qtype, rcode, answer, authority)
	if err != nil {
		return l.fail(upstreamFailure, dns.ExtendedErrorCodeOther, "the answer doesn't fit a message")
	}
	p.aa, p.ad = l.local, l.ad
	return p
}

// unasked answers who doesn't want anybody else to be asked (RD, RFC 1034 section 4.3.1) by what is known here: the chain so far, if any.
func (l *lookup) unasked() *packed {
	if len(l.chain) > 0 {
		return l.pack(dns.RcodeSuccess, l.chain, nil)
	}
	l.why = refusedRecursion
	return failure(l.name, l.qtype, dns.RcodeRefused, l.why, explain(dns.ExtendedErrorCodeNotAuthoritative, "not known here, and recursion is not desired"))
}

func (l *lookup) fail(why reason, code uint16, text string) *packed {
	l.why = why
	return failure(l.name, l.qtype, dns.RcodeServerFailure, why, explain(code, text))
}

// resume goes on with a question whose flight has landed.
func (s *Server) resume(l *lookup, p *packed) {
	now := time.Now()
	l.client.trail.landed(l, p)
	answer, done := s.absorb(l, p, p.why, now)
	if !done {
		l.hops++
		var pending bool
		if answer, pending = s.advance(l, now); pending {
			return
		}
	}
	if _, sends := l.client.back.(*udpSocket); !sends {
		l.client.reply(s.finish(l, answer, nil)) // others keep it for a while
		return
	}
	room := replyRooms.Get().(*[replyRoom]byte)
	defer replyRooms.Put(room)
	l.client.reply(s.finish(l, answer, room[:0]))
}

// replyRooms is where answers over UDP are written that were waited for.
var replyRooms = sync.Pool{New: func() any { return new([replyRoom]byte) }}

// finish writes the answer, counts it and logs it.
func (s *Server) finish(l *lookup, p *packed, out []byte) []byte {
	if p == nil {
		s.stats.count(repeatedQuery)
		return out
	}
	reply, cut := l.appendReply(out, p, s.cache.moment(time.Now()), l.limit(l.client.tcp))
	if cut {
		s.stats.count(truncated)
	}
	s.decided(l, int(p.rcode), reply[len(out):])
	return reply
}

func (s *Server) reject(l *lookup, out []byte, rcode int, why reason, options []byte) []byte {
	l.why = why
	reply := l.appendError(out, rcode, options)
	s.decided(l, rcode, reply[len(out):])
	return reply
}

// watched tells whether somebody wants to know of each decision, whatever the network.
func (s *Server) watched() bool {
	return s.tracer.Watched() || s.log.Enabled(context.Background(), slog.LevelDebug)
}

// decided counts a decision, and tells whoever wants to know of it. An explanation is nobody's question.
func (s *Server) decided(l *lookup, rcode int, reply []byte) {
	if l.client.trail != nil {
		l.client.trail.decided(l, rcode)
		return
	}
	s.stats.count(l.why)
	l.client.ledger.answer(l.why, rcode)
	if s.tracer.Watched() {
		s.publish(l, rcode, reply)
	}
	if l.view.logged {
		log := s.log
		if l.view.queries != nil {
			log = l.view.queries
		}
		logQuery(log, l, rcode, slog.LevelInfo)
	} else if s.log.Enabled(context.Background(), slog.LevelDebug) {
		logQuery(s.log, l, rcode, slog.LevelDebug)
	}
}

// recovered notes a bug. The message that met it is answered by SERVFAIL; the server goes on.
func (s *Server) recovered(p any) {
	s.stats.count(recovered)
	s.log.Error("a panic was caught: this is a bug", "err", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// own makes a question independent of the packet that it was read from.
func (l *lookup) own() { l.question, l.presented = slices.Clone(l.question), nil }
