package dnsserver

import (
	"net/netip"
	"sync"
	"time"
)

// Bounds on TCP, RFC 7766 section 6.
const (
	maxConns          = 512
	maxConnsPerClient = 32
	// maxStrangers is the connections of clients that may not ask: enough to tell them so.
	maxStrangers = 16
	maxPipelined = 64
	// crowded is how many connections make us hurry: idle ones then give their places back soon.
	crowded = maxConns / 2
	// firstByte bounds the wait for a connection's first question, idleFor for the next, hurried for either where there is a crowd;
	// messageIn bounds the rest of a message, messageOut the client's taking of an answer.
	firstByte  = 3 * time.Second
	idleFor    = 30 * time.Second
	hurried    = time.Second
	messageIn  = 2 * time.Second
	messageOut = 5 * time.Second
)

// tcpBounds counts the connections of all listeners.
type tcpBounds struct {
	mu        sync.Mutex // guards the rest
	total     int
	strangers int
	clients   map[netip.Addr]int
}

func newTCPBounds() tcpBounds { return tcpBounds{clients: map[netip.Addr]int{}} }

func (b *tcpBounds) enter(who netip.Addr, stranger bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if stranger {
		if b.strangers >= maxStrangers {
			return false
		}
		b.strangers++
		return true
	}
	if b.total >= maxConns || b.clients[who] >= maxConnsPerClient {
		return false
	}
	b.total++
	b.clients[who]++
	return true
}

// idle is how long a connection may wait for its next question.
func (b *tcpBounds) idle() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.total > crowded {
		return hurried
	}
	return idleFor
}

func (b *tcpBounds) leave(who netip.Addr, stranger bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if stranger {
		b.strangers--
		return
	}
	b.total--
	if b.clients[who]--; b.clients[who] == 0 {
		delete(b.clients, who)
	}
}
