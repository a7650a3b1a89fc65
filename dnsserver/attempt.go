package dnsserver

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// manyPackets is how many packets that answer nothing, to one question, are worth a line in the log.
const manyPackets = 50

// attempt is one message to one upstream, and what follows it.
type attempt struct {
	flight  *flight
	u       *upstream
	fd      int // of its socket, -1 when that is closed
	serial  int32
	to      sockaddr
	message []byte
	sent    moment
	how     manner
	junk    int                // packets that answer nothing
	why     detour             // over TCP
	cancel  context.CancelFunc // of TCP
}

// manner is how a question is put.
type manner struct {
	mixed   bool // random letter case, to be repeated
	edns    bool
	guessed bool // someone has sent wrong IDs, and TCP doesn't help
}

// detour is why a question goes over TCP.
type detour uint8

const (
	tooLong  detour = iota // for one packet
	mismatch               // the answer doesn't repeat the letter case
	guesses                // someone guesses our ID
)

// open sends the message from a socket of its own, and has the pump watch that.
func (at *attempt) open(s *Server, random []byte) (err error) {
	at.to = newSockaddr(at.u.addr)
	if err = s.pump.add(at, at.to.raw.Family); err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	if err = connectSocket(at.fd, &at.to, s.ports, random); err == nil {
		err = sendSocket(at.fd, at.message)
	}
	if err != nil {
		at.close(s) // whoever was told of the socket meanwhile must not read from its number
	}
	return err
}

// close ends what an attempt waits for.
func (at *attempt) close(s *Server) {
	if at.fd >= 0 {
		s.pump.close(at)
		at.fd = -1
	}
	if at.cancel != nil {
		at.cancel()
		at.cancel = nil
	}
}

// receive takes a packet from an attempt's socket, and tells whether another one may follow. Whatever isn't the answer is
// passed over until the flight ends: who sends junk must not be able to end the question ("TuDoor").
func (f *flight) receive(at *attempt, in *inbox) (more bool) {
	f.step(func(now moment) { more = f.take(at, in, now) })
	return more
}

func (f *flight) take(at *attempt, in *inbox, now moment) (more bool) {
	if at.fd < 0 {
		return false
	}
	n, fragmented, errno := in.receive(at.fd)
	switch errno {
	case 0:
	case unix.EAGAIN:
		return false
	default: // most likely an ICMP message: nobody listens there
		f.failed(at, fmt.Errorf("asking %s: %w", at.u.addr, errno), now)
		return false
	}
	packet, err := in.packet[:n], errNoReply
	if at.to.same(&in.from) {
		err = f.check(packet, at.message)
	}
	switch {
	case err == nil && fragmented:
		// Only the first piece proves that it is the upstream's.
		f.server.stats.count(replyFragmented)
		f.server.complain(at.u, sendsFragments, now)
		f.overTCP(at, tooLong, now)
	case err == nil && packet[2]&0x02 != 0:
		f.overTCP(at, tooLong, now)
	case err == nil:
		f.answered(at, f.restore(packet), now)
	case err == errMismatch && at.how.mixed:
		// A forger who knows everything but the case, or a server that folds it: TCP tells.
		f.overTCP(at, mismatch, now)
	case err == errWrongID && !at.how.guessed:
		// Someone guesses. TCP is out of reach for who can't see our packets.
		f.server.stats.count(replyIgnored)
		f.server.complain(at.u, isForged, now)
		f.overTCP(at, guesses, now)
	default:
		f.server.stats.count(replyIgnored)
		if at.junk++; at.junk == manyPackets {
			f.server.complain(at.u, isNoisy, now)
		}
		return true
	}
	return false
}

// overTCP asks the same server over TCP, and no longer listens on the attempt's socket.
func (f *flight) overTCP(at *attempt, why detour, now moment) {
	at.close(f.server)
	at.why = why
	var ctx context.Context
	ctx, at.cancel = context.WithTimeout(f.server.base, time.Duration(f.started.add(patience)-now))
	f.server.work.Go(func() { f.stream(ctx, at) })
}

func (f *flight) stream(ctx context.Context, at *attempt) {
	var answer []byte
	err := errors.New("asking an upstream: a bug in this server")
	defer func() {
		if bug := recover(); bug != nil {
			f.server.recovered(bug)
		}
		f.step(func(now moment) { f.streamed(at, answer, err, now) })
	}()
	answer, err = exchangeTCP(ctx, at.u, &f.asked, at.how.edns)
}

// streamed takes what came over TCP.
func (f *flight) streamed(at *attempt, answer []byte, err error, now moment) {
	how := at.how
	switch {
	case err == nil:
		if at.why == mismatch {
			at.u.setFolds(now)
		}
		f.answered(at, answer, now)
		return
	case at.why == mismatch:
		how.mixed = false
	case at.why == guesses:
		how.guessed = true
	default:
		f.server.complain(at.u, truncatesOnly, now)
		f.failed(at, err, now)
		return
	}
	// From another port, with another ID: what was guessed until now is worth nothing.
	f.err = err
	f.drop(at)
	if f.sends >= maxSends+len(f.order) || !f.ask(at.u, how, now) {
		f.onward(now)
	}
}
