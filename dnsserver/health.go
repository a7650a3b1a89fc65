package dnsserver

import (
	"context"
	"fmt"
	"net"
	"time"
)

// complaint is what an upstream does that the operator should know of, and the log says once an hour at most.
type complaint uint8

const (
	isForged       complaint = iota // packets from its address guess IDs
	sendsFragments                  // its answers come in pieces
	truncatesOnly                   // it has longer answers, and no TCP
	isMalformed                     // it sends what nobody can read
	isNoisy                         // it sends many packets that answer nothing
	complaints
)

var complaintTexts = [complaints]string{
	isForged:       "packets from an upstream's address have wrong IDs: someone forges answers, or the server is broken; it is asked over TCP",
	sendsFragments: "an upstream's answers come in fragments, which can be forged; it is asked over TCP",
	truncatesOnly:  "an upstream has answers that need TCP, and can't be asked over TCP: let port 53/tcp pass",
	isMalformed:    "an upstream sends malformed answers",
	isNoisy:        "packets from an upstream's address answer nothing that was asked, many for one question; they are passed over",
}

const complainEvery = time.Hour

// complain logs something about an upstream, unless that has been said lately.
func (s *Server) complain(u *upstream, what complaint, now moment) {
	if u.mayComplain(what, now) {
		s.log.Warn(complaintTexts[what], "upstream", u.addr)
	}
}

func (u *upstream) mayComplain(what complaint, now moment) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if last := u.complained[what]; last != 0 && now < last.add(complainEvery) {
		return false
	}
	u.complained[what] = now
	return true
}

// heard notes an answer of an upstream.
func (s *Server) heard(u *upstream, rtt time.Duration, detour bool, now moment) {
	u.times.Observe(rtt)
	if u.answered(rtt, detour, now) {
		s.log.Info("an upstream answers again", "upstream", u.addr)
	}
}

// missed notes that a message to an upstream, sent at a time, came to nothing.
func (s *Server) missed(u *upstream, sent moment, err error, now moment) {
	if s.base.Err() != nil {
		return // we are stopping: it says nothing about upstreams
	}
	u.lost.Add(1)
	if u.failed(sent, err, now) {
		u.probeSoon(now)
		s.log.Warn("an upstream doesn't answer; others are asked first, if there are any", "upstream", u.addr, "err", err)
	}
}

// soundFor is how long an upstream may take to show that it is back.
const soundFor = 2 * time.Second

// sound asks an upstream for nothing but to know how it does. a is a question that somebody has.
func (s *Server) sound(u *upstream, a asked) {
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(s.base, soundFor)
		defer cancel()
		sent := s.now()
		err := once(ctx, u, &a)
		if now := s.now(); err != nil {
			s.missed(u, sent, err, now)
		} else {
			s.heard(u, time.Duration(now-sent), false, now)
		}
	})
}

// once asks an upstream once over UDP, for the fact that it answers.
func once(ctx context.Context, u *upstream, a *asked) error {
	conn, err := new(net.Dialer).DialContext(ctx, "udp", u.addr.String())
	if err != nil {
		return fmt.Errorf("asking %s: %w", u.addr, err)
	}
	defer conn.Close()
	defer expire(ctx, conn)()
	random := randomBits()
	message := a.message(random[:], false, true)
	if _, err := conn.Write(message); err != nil {
		return fmt.Errorf("asking %s: %w", u.addr, err)
	}
	var buffer [maxQuery]byte
	for {
		n, err := conn.Read(buffer[:])
		if err != nil {
			return fmt.Errorf("asking %s: %w", u.addr, err)
		}
		if err := a.check(buffer[:n], message); err == nil || err == errMismatch {
			return nil
		}
	}
}
