package dnsserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

// asked is a question as upstreams get it.
type asked struct {
	group  *group
	name   name
	qtype  uint16
	do, cd bool
	lan    bool // only to upstreams on private addresses

	by *upstream // whose answer it is, once there is one
}

var (
	// errMismatch is an answer to a question that is ours in all but its letter case.
	errMismatch = errors.New("the upstream's answer doesn't repeat the question's letter case")
	errWrongID  = errors.New("an answer with another ID")
	errNoReply  = errors.New("not an answer to the question asked")
)

// questionEnd is how long a message is up to the end of the question.
func (a *asked) questionEnd() int { return headerSize + len(a.name) + 4 }

// randomness is what nobody can know beforehand of a question: 4 bytes of its port, 2 of its ID, a bit for each letter.
type randomness [4 + messageRandom]byte

const messageRandom = 2 + (maxName+7)/8

func randomBits() (r randomness) {
	_, _ = rand.Read(r[:])
	return r
}

// message writes the question for an upstream: nothing of the client's own message but the question and its DO and CD,
// so that no option of a client (client subnet, cookie) goes further. random are messageRandom bytes; mixed takes letter case of them
// ("0x20").
func (a *asked) message(random []byte, mixed, edns bool) []byte {
	m := make([]byte, headerSize, a.questionEnd()+optSize)
	copy(m, random[:2])
	m[2] = 0x01 // RD
	m[3] = 0x20 // AD: RFC 6840 section 5.7, tell us what validates
	if a.cd {
		m[3] |= 0x10
	}
	m[5] = 1
	m = append(m, a.name...)
	if mixed {
		mixCase(m[headerSize:], random[2:])
	}
	m = binary.BigEndian.AppendUint16(m, a.qtype)
	m = binary.BigEndian.AppendUint16(m, dns.ClassINET)
	if edns {
		q := query{edns: true, do: a.do}
		m = q.appendOPT(m, 0, 0, nil, len(m)+optSize)
	}
	return m
}

func mixCase(n, bits []byte) {
	for i, c := range n {
		if 'a' <= c && c <= 'z' && bits[i/8]>>(i%8)&1 != 0 {
			n[i] = c - 'a' + 'A'
		}
	}
}

// restore gives a checked answer our own letter case of the question back: names in it that point there get it too.
func (a *asked) restore(answer []byte) []byte {
	copy(answer[headerSize:], a.name)
	return answer
}

// check tells whether a packet answers the message sent: a response with that ID and the very same question.
func (a *asked) check(answer, sent []byte) error {
	end := a.questionEnd()
	if len(answer) < headerSize || answer[2]&0x80 == 0 {
		return errNoReply
	}
	if answer[0] != sent[0] || answer[1] != sent[1] {
		return errWrongID
	}
	if len(answer) < end || answer[2]&0x78 != 0 || answer[4] != 0 || answer[5] != 1 {
		return errNoReply
	}
	got, want := answer[headerSize:end], sent[headerSize:end]
	if bytes.Equal(got, want) {
		return nil
	}
	folded := bytes.Clone(got)
	lower(folded[:len(a.name)])
	if string(folded[:len(a.name)]) == string(a.name) && bytes.Equal(folded[len(a.name):], want[len(a.name):]) {
		return errMismatch
	}
	return errNoReply
}

// exchangeTCP asks over a connection of its own, RFC 7766. The answer is one to this question, checked up to the end of the question;
// the rest of it isn't checked at all.
func exchangeTCP(ctx context.Context, u *upstream, a *asked, edns bool) ([]byte, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.addr.String())
	if err != nil {
		return nil, fmt.Errorf("asking %s over TCP: %w", u.addr, err)
	}
	defer conn.Close()
	defer expire(ctx, conn)()
	random := randomBits()
	message := a.message(random[:], false, edns)
	framed := binary.BigEndian.AppendUint16(nil, uint16(len(message)))
	if _, err := conn.Write(append(framed, message...)); err != nil {
		return nil, fmt.Errorf("asking %s over TCP: %w", u.addr, err)
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, fmt.Errorf("asking %s over TCP: %w", u.addr, err)
	}
	answer := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(conn, answer); err != nil {
		return nil, fmt.Errorf("asking %s over TCP: %w", u.addr, err)
	}
	if err := a.check(answer, message); err != nil && err != errMismatch {
		return nil, fmt.Errorf("asking %s over TCP: %w", u.addr, err)
	}
	return a.restore(answer), nil
}

// expire ends what conn is waiting for when ctx ends; the returned function takes that back.
func expire(ctx context.Context, conn net.Conn) (stop func()) {
	cancel := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	return func() { cancel() }
}
