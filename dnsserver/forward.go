package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/miekg/dns"
)

const (
	// patience bounds a question upstream; a stub resolver gives up after 5 s (resolv.conf(5)).
	patience = 4800 * time.Millisecond
	// hedgeAfter is how long one upstream is waited for before the next is asked beside it.
	hedgeAfter = 400 * time.Millisecond
	// maxSends bounds the messages for one question, however many servers there are ("NXNSAttack").
	maxSends = 6
)

// attempt is what came of asking one upstream.
type attempt struct {
	u      *upstream
	sent   time.Time
	answer *dns.Msg
	err    error
}

// race asks the servers in order, each hedgeAfter the one before or as soon as that failed, and returns the first answer
// that decides: NOERROR or NXDOMAIN. Without one it returns the last RCODE that came, or an error. Attempts still under
// way are cancelled, and end soon.
func (s *Server) race(ctx context.Context, servers []*upstream, a *asked) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	order := ranked(servers, time.Now())
	results := make(chan attempt, maxSends)
	running := map[*upstream]time.Time{}
	sends, wait := 0, hedgeAfter
	send := func() {
		u := order[sends%len(order)]
		// A second round gives each more time.
		if sends > 0 && sends%len(order) == 0 {
			wait *= 2
		}
		sends++
		started := time.Now()
		if _, again := running[u]; !again {
			running[u] = started
		}
		s.work.Go(func() { s.attempt(ctx, u, a, started, results) })
	}
	send()
	under, err := 1, error(nil)
	var soft *dns.Msg
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for under > 0 {
		select {
		case <-timer.C:
			if sends < maxSends {
				send()
				under++
				timer.Reset(wait)
			}
		case r := <-results:
			under--
			delete(running, r.u)
			if r.err == nil && decides(r.answer) {
				a.by = r.u
				r.u.answered(time.Since(r.sent))
				for u, started := range running {
					if waited := time.Since(started); waited > hedgeAfter {
						u.slow(waited)
					}
				}
				return r.answer, nil
			}
			if r.err == nil {
				r.u.answered(time.Since(r.sent))
				soft = r.answer
			} else {
				r.u.failed(time.Now())
				err = r.err
			}
			// Each server once is enough if it answers, even badly.
			if sends < min(len(order), maxSends) {
				send()
				under++
				timer.Reset(wait)
			} else if soft != nil && under == 0 {
				return soft, nil
			}
		}
	}
	if soft != nil {
		return soft, nil
	}
	return nil, err
}

// attempt asks one upstream, without EDNS if that is what it takes (RFC 6891 section 6.2.2).
func (s *Server) attempt(ctx context.Context, u *upstream, a *asked, started time.Time, results chan<- attempt) {
	r := attempt{u: u, sent: started}
	defer func() {
		if p := recover(); p != nil {
			s.recovered(p)
			r.answer, r.err = nil, errors.New("asking an upstream: a bug in this server")
		}
		results <- r
	}()
	r.answer, r.err = s.converse(ctx, u, a, true)
	if r.err == nil && r.answer.IsEdns0() == nil &&
		(r.answer.Rcode == dns.RcodeFormatError || r.answer.Rcode == dns.RcodeNotImplemented) {
		r.answer, r.err = s.converse(ctx, u, a, false)
	}
}

// converse asks once and parses the answer.
func (s *Server) converse(ctx context.Context, u *upstream, a *asked, edns bool) (*dns.Msg, error) {
	raw, err := s.exchange(ctx, u, a, edns)
	if err != nil {
		return nil, err
	}
	m, err := parseAnswer(raw)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", u.addr, err)
	}
	return m, nil
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
