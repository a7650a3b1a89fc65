// Package answerer answers DNS questions at once, without knowing anything: an echo, which is what a server in Go can reach at most, and the
// upstream that all servers of bench/dns ask.
package answerer

import (
	"net/netip"
	"runtime"

	"labnet/bench/dns/batch"
)

// EchoAddr is the address in every answer of an echo, that in C too.
var EchoAddr = netip.AddrFrom4([4]byte{198, 18, 0, 1})

// Echo answers every question at an address with the same A record, until the process ends; it receives up to most at a time.
func Echo(at netip.AddrPort, most int) error {
	return serve(at, most, answerTheSame)
}

// answerTheSame is what the echo makes of a question.
func answerTheSame(message []byte, n int) int {
	end := questionEnd(message[:n])
	if end == 0 {
		return 0
	}
	withOPT := message[11] != 0
	message[2], message[3], message[7] = 0x81, 0x80, 1
	n = appendA(message, end, EchoAddr.As4())
	if withOPT {
		n = appendOPT(message, n, 0)
	}
	return n
}

// serve calls answer with each message that comes, and its length; it makes an answer of it in place, and returns its length, or 0 for none.
func serve(at netip.AddrPort, most int, answer func(message []byte, n int) int) error {
	runtime.LockOSThread()
	fd, err := batch.Listen(at)
	if err != nil {
		return err
	}
	b := batch.New(true)
	for {
		n, err := b.Receive(fd, most, true)
		if err != nil {
			return err
		}
		for i := range n {
			b.SetReply(i, answer(b.Room(i), len(b.Data(i))))
		}
		if err := b.Reply(fd, n); err != nil {
			return err
		}
	}
}

// questionEnd is where the one question of a query ends, or 0 if the message isn't one.
func questionEnd(query []byte) int {
	if len(query) < 12 || query[2]&0x80 != 0 || query[4] != 0 || query[5] != 1 {
		return 0
	}
	for i := 12; i < len(query) && query[i] < 64; i += int(query[i]) + 1 {
		if query[i] == 0 && i+5 <= len(query) {
			return i + 5
		}
	}
	return 0
}

// appendA puts an A record of the question's name, TTL 3600, at a place of a message; it returns where it ends.
func appendA(message []byte, at int, addr [4]byte) int {
	at += copy(message[at:], "\xc0\x0c\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04")
	return at + copy(message[at:], addr[:])
}

// appendOPT puts an OPT record with the size 1232 and the DO bit, if it is in do, at a place of a message.
func appendOPT(message []byte, at int, do byte) int {
	n := at + copy(message[at:], "\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00")
	message[at+7] = do
	return n
}
