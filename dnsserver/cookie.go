package dnsserver

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"sync/atomic"
	"time"
)

// Sizes of DNS cookies in bytes: RFC 7873 section 4, and RFC 9018 section 4 for the server's.
const (
	clientCookie    = 8
	minServerCookie = 8
	maxServerCookie = 32
	serverCookie    = 16
)

const (
	// cookieAge and cookieAhead bound the age of a cookie that is good, RFC 9018 section 4.3.
	cookieAge   = time.Hour
	cookieAhead = 5 * time.Minute
	// secretAge is how long cookies are made with one secret: RFC 7873 section 7.1.
	secretAge = 24 * time.Hour
)

// cookies makes and checks server cookies, RFC 9018: an address that somebody has forged can't have one. Nobody needs one here: a
// question without a cookie, or with a bad one, is answered like any other (RFC 7873 section 5.2.3). They are for the client, who knows by
// its own eight bytes that the answer is from whom it asked. Safe for concurrent use.
type cookies struct{ secrets atomic.Pointer[cookieSecrets] }

// cookieSecrets is the secret of new cookies, and the one before, whose cookies are still good.
type cookieSecrets struct{ current, previous sipKey }

// renew makes cookies with another secret from now on.
func (c *cookies) renew() {
	var secret [16]byte
	_, _ = rand.Read(secret[:]) // never fails
	next := &cookieSecrets{current: newSipKey(secret)}
	if last := c.secrets.Load(); last != nil {
		next.previous = last.current
	} else {
		_, _ = rand.Read(secret[:])
		next.previous = newSipKey(secret)
	}
	c.secrets.Store(next)
}

// keepRenewing renews until ctx ends.
func (c *cookies) keepRenewing(ctx context.Context) {
	ticker := time.NewTicker(secretAge)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			c.renew()
		}
	}
}

// complete puts the server's part behind the client's in the cookie that q is answered with. It is made anew for every answer, as
// RFC 9018 section 4.3 allows: that costs no more than checking the one that came.
func (c *cookies) complete(q *query, client netip.Addr, now time.Time) {
	server := q.cookie[clientCookie:]
	binary.BigEndian.PutUint32(server, 1<<24) // version 1, reserved
	binary.BigEndian.PutUint32(server[4:], uint32(now.Unix()))
	binary.LittleEndian.PutUint64(server[8:], c.secrets.Load().current.cookie(&q.cookie, client))
}

// good tells whether the server's part of the cookie that q came with is one of ours, for that client and not too old. Without such a part it
// is: there is nothing wrong with it.
func (c *cookies) good(q *query, client netip.Addr, now time.Time) bool {
	if len(q.presented) == 0 {
		return true
	}
	if len(q.presented) != serverCookie || q.presented[0] != 1 {
		return false
	}
	// Serial number arithmetic, RFC 1982: the clock of 32 bits may turn over.
	age := time.Duration(int32(uint32(now.Unix())-binary.BigEndian.Uint32(q.presented[4:]))) * time.Second
	if age > cookieAge || age < -cookieAhead {
		return false
	}
	whole := q.cookie
	copy(whole[clientCookie:], q.presented)
	secrets := c.secrets.Load()
	for _, key := range []*sipKey{&secrets.current, &secrets.previous} {
		var want [8]byte
		binary.LittleEndian.PutUint64(want[:], key.cookie(&whole, client))
		if subtle.ConstantTimeCompare(want[:], q.presented[8:]) == 1 {
			return true
		}
	}
	return false
}

// cookie is the hash in a cookie: over all that stands before it, and the client's address, RFC 9018 section 4.4.
func (k *sipKey) cookie(whole *[clientCookie + serverCookie]byte, client netip.Addr) uint64 {
	var data [clientCookie + 8 + 16]byte
	n := copy(data[:], whole[:clientCookie+8])
	if client = client.Unmap(); client.Is4() {
		a := client.As4()
		n += copy(data[n:], a[:])
	} else {
		a := client.As16()
		n += copy(data[n:], a[:])
	}
	return k.sum(data[:n])
}
