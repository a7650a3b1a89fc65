package dnsserver

import (
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"
)

const (
	// patience bounds a question upstream; a stub resolver gives up after 5 s (resolv.conf(5)).
	patience = 4800 * time.Millisecond
	// maxSends bounds the messages for one question, however many servers there are ("NXNSAttack"). Each may go over TCP too.
	maxSends = 6
	// staleAfter is how long whoever could have a stale answer waits for a fresh one, RFC 8767 section 5.
	staleAfter = 1800 * time.Millisecond
)

// depart asks the first server.
func (f *flight) depart() {
	f.step(func(now moment) {
		f.started, f.hedgeAt = now, never
		if f.snap.staleFor > 0 {
			f.staleAt.Store(int64(now.add(staleAfter)))
		}
		f.order, f.allDown = ranked(f.group.askable(f.lan))
		if !f.allDown {
			for _, u := range unsounded(f.order, now) {
				f.server.sound(u, f.asked)
			}
		}
		f.next(now)
	})
	f.server.pump.arm()
}

// most is how many messages the question is worth: to servers that have been silent for long, one each.
func (f *flight) most() int {
	if f.allDown {
		return min(len(f.order), maxSends)
	}
	return maxSends
}

// next asks the next server; the one after it too if nothing can be sent to that.
func (f *flight) next(now moment) {
	f.hedgeAt = never
	for f.sends < f.most() {
		u, round := f.order[f.turn%len(f.order)], f.turn/len(f.order)
		f.turn++
		if f.ask(u, manner{mixed: !u.folds(now), edns: !u.plain(now)}, now) {
			// A later round gives each more time, but not so much that there is none for another.
			f.hedgeAt = now.add(min(u.hedge()<<round, maxHedge))
			return
		}
		if f.turn >= len(f.order) {
			return
		}
	}
}

// ask sends the question to a server. False: it couldn't be sent.
func (f *flight) ask(u *upstream, how manner, now moment) bool {
	f.sends++
	at := &attempt{flight: f, u: u, how: how, sent: now}
	random := randomBits()
	at.message = f.message(random[4:], how.mixed, how.edns)
	if err := at.open(f.server, random[:4]); err != nil {
		if exhausted(err) {
			f.err = err // which says nothing about the server
		} else {
			f.failing(at, fmt.Errorf("asking %s: %w", u.addr, err), now)
		}
		return false
	}
	f.attempts = append(f.attempts, at)
	return true
}

// exhausted tells that it is this host that has no room for a socket.
func exhausted(err error) bool {
	for _, errno := range []error{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.ENOSPC} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// drop closes an attempt and forgets it.
func (f *flight) drop(at *attempt) {
	at.close(f.server)
	for i, other := range f.attempts {
		if other == at {
			f.attempts = append(f.attempts[:i], f.attempts[i+1:]...)
			return
		}
	}
}

// answered takes an upstream's answer to the question.
func (f *flight) answered(at *attempt, answer []byte, now moment) {
	v, err := f.read(answer)
	if err != nil {
		f.server.complain(at.u, isMalformed, now)
		f.failed(at, fmt.Errorf("asking %s: %w", at.u.addr, err), now)
		return
	}
	rtt := time.Duration(now - at.sent)
	f.server.heard(at.u, rtt, at.fd < 0, now)
	if at.fd >= 0 {
		f.server.pump.heard(rtt)
	}
	if v.decides {
		for _, other := range f.attempts {
			if waited := time.Duration(now - other.sent); other.u != at.u && waited > other.u.hedge() {
				other.u.slow(waited)
			}
		}
		f.result, f.ttl, f.by = v.packed, v.ttl, at.u
		f.conclude()
		return
	}
	f.drop(at)
	if v.unknownEDNS && at.how.edns { // RFC 6891 section 6.2.2
		at.u.setPlain(now)
		how := at.how
		how.edns = false
		if f.ask(at.u, how, now) {
			return
		}
	}
	f.soft, f.softTTL = v.packed, v.ttl
	f.onward(now)
}

func (f *flight) failed(at *attempt, err error, now moment) {
	f.drop(at)
	f.failing(at, err, now)
	f.onward(now)
}

func (f *flight) failing(at *attempt, err error, now moment) {
	f.err = err
	f.server.missed(at.u, at.sent, err, now)
}

// onward asks the next server at once, if there is one that hasn't been asked: once each is enough if they answer, even badly.
func (f *flight) onward(now moment) {
	if f.turn < len(f.order) {
		f.next(now)
	}
}

var errNoAnswer = errors.New("no answer in time")

// timeout does what is due.
func (f *flight) timeout(now moment) {
	switch {
	case now >= f.started.add(patience):
		silent := map[*upstream]bool{}
		for _, at := range f.attempts {
			if !silent[at.u] {
				silent[at.u] = true
				f.failing(at, fmt.Errorf("asking %s: %w", at.u.addr, errNoAnswer), now)
			}
		}
		f.conclude()
	case now >= f.hedgeAt:
		f.next(now)
	}
}

// verdict is what an upstream's answer comes to.
type verdict struct {
	*packed
	ttl         time.Duration
	decides     bool // else another server may better it
	unknownEDNS bool // a refusal that may be of the OPT record
}

// read makes an upstream's answer, checked up to the end of the question, ours.
func (f *flight) read(answer []byte) (verdict, error) {
	stay := func(n name) bool { return f.snap.route(n) == f.group && !f.snap.speaksFor(n) }
	if p, ttl, ok := quick(&f.asked, answer, stay); ok {
		return verdict{packed: p, ttl: ttl, decides: true}, nil
	}
	m, err := parseAnswer(answer)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{decides: decides(m)}
	v.unknownEDNS = m.IsEdns0() == nil && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented)
	if m.Rcode == dns.RcodeSuccess && !v.decides {
		v.packed = failure(f.name, f.qtype, dns.RcodeServerFailure, upstreamFailure, explain(dns.ExtendedErrorCodeNotAuthoritative, "an upstream doesn't recurse"))
		return v, nil
	}
	v.packed, v.ttl = distill(&f.asked, m, stay)
	return v, nil
}

// decides tells an answer that ends the question from one that another server may better.
func decides(m *dns.Msg) bool {
	switch m.Rcode {
	case dns.RcodeNameError:
		return true
	case dns.RcodeSuccess:
		// A referral: that server doesn't recurse.
		return len(m.Answer) > 0 || m.RecursionAvailable || m.Authoritative
	}
	return false
}
