package dhcpserver

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"labnet/leases"
)

// journal writes the log: what changes something at level info, every message at level debug, and nothing so often that
// a guest could fill the disk with it. Keys: iface, network, client, addr, name, class, xid, reason, err; suppressed, lost, length;
// other (the second of two clones, the machine that uses an address or is another server), rests_until, server, source, message
// and stack (of a bug).
type journal struct {
	log *slog.Logger

	mu      sync.Mutex
	buckets map[Reason]*bucket // guarded by mu
}

// bucket limits the lines for one reason.
type bucket struct {
	tokens     float64
	last       time.Time
	suppressed int
}

// A burst of lines for one reason is let pass, then so many a second; the line after a pause says how many are missing.
const (
	logBurst     = 1000
	logPerSecond = 50
)

func newJournal(log *slog.Logger, iface, network string) *journal {
	return &journal{log: log.With("iface", iface, "network", network), buckets: make(map[Reason]*bucket)}
}

// allow says whether a line for r may be written, and how many could not since the last one.
func (j *journal) allow(r Reason, now time.Time) (ok bool, suppressed int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b := j.buckets[r]
	if b == nil {
		b = &bucket{tokens: logBurst, last: now}
		j.buckets[r] = b
	}
	b.tokens = min(logBurst, b.tokens+max(0, now.Sub(b.last).Seconds())*logPerSecond)
	b.last = now
	if b.tokens < 1 {
		b.suppressed++
		return false, 0
	}
	b.tokens--
	suppressed, b.suppressed = b.suppressed, 0
	return true, suppressed
}

// packet writes a line about a message and what became of it.
func (j *journal) packet(p *packet, now time.Time) {
	level, text := severity(p)
	if !j.log.Enabled(context.Background(), level) {
		return
	}
	suppressed := 0
	if level > slog.LevelDebug {
		var ok bool
		if ok, suppressed = j.allow(p.reason, now); !ok {
			return
		}
	}
	attrs := append(make([]slog.Attr, 0, 8),
		slog.String("client", hardwareText(p.client.HWAddr)),
		slog.String("addr", addrText(p.addr)),
		slog.String("name", p.name),
		slog.String("xid", fmt.Sprintf("%08x", p.xid)),
		slog.String("reason", string(p.reason)))
	if p.profile != nil && len(p.profile.classes) > 0 {
		attrs = append(attrs, slog.String("class", strings.Join(p.profile.classes, ",")))
	}
	if p.err != nil {
		attrs = append(attrs, slog.String("err", p.err.Error()))
	}
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	j.log.LogAttrs(context.Background(), level, text, attrs...)
}

// severity is the level of the line about p, and its text.
func severity(p *packet) (slog.Level, string) {
	switch {
	case p.reason == ReasonCommitFailed:
		return slog.LevelError, "lease could not be made durable: no answer"
	case p.reason == ReasonAckDurable:
		return slog.LevelWarn, "lease acknowledged for what is durable of it: the renewal could not be stored"
	case p.reason == ReasonExhausted:
		return slog.LevelWarn, "no address to offer"
	case p.reason == ReasonTableError, p.reason == ReasonUnknownNetwork:
		return slog.LevelError, "lease table failed"
	case p.reason == ReasonDeclined:
		return slog.LevelWarn, "address declined: another machine uses it"
	case p.reason == ReasonReleased:
		return slog.LevelInfo, "lease released"
	case p.reason == ReasonIgnoredDecline:
		return slog.LevelInfo, "decline ignored"
	case p.reason == ReasonShed, p.reason == ReasonOverload:
		return slog.LevelWarn, "message dropped: overloaded"
	case p.reason == ReasonProbing:
		return slog.LevelDebug, "answer waits for ARP"
	case p.reason == ReasonNakInUse:
		return slog.LevelWarn, "request refused: another machine uses the address"
	case p.reply == replyNak:
		return slog.LevelInfo, "request refused"
	case p.reply == replyAck && !p.renewal:
		return slog.LevelInfo, "address leased"
	case p.reply == replyAck:
		return slog.LevelDebug, "lease renewed"
	case p.reply == replyOffer:
		return slog.LevelDebug, "address offered"
	case p.reply == replyInform:
		return slog.LevelDebug, "options given"
	default:
		return slog.LevelDebug, "message dropped"
	}
}

// event writes a warning that is about no single message.
func (j *journal) event(r Reason, now time.Time, text string, attrs ...slog.Attr) {
	ok, suppressed := j.allow(r, now)
	if !ok {
		return
	}
	attrs = append(attrs, slog.String("reason", string(r)))
	if suppressed > 0 {
		attrs = append(attrs, slog.Int("suppressed", suppressed))
	}
	j.log.LogAttrs(context.Background(), slog.LevelWarn, text, attrs...)
}

// garbage writes a line about a datagram that is no message for us.
func (j *journal) garbage(d datagram, r Reason, now time.Time) {
	if !j.log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	if ok, suppressed := j.allow(r, now); ok {
		j.log.LogAttrs(context.Background(), slog.LevelDebug, "message dropped", slog.String("addr", addrText(d.from.Addr())),
			slog.String("reason", string(r)), slog.Int("length", len(d.data)), slog.Int("suppressed", suppressed))
	}
}

// clone warns that two machines send one client identifier.
func (j *journal) clone(c leases.Client, holder leases.Lease, now time.Time) {
	j.event(ReasonCloneDetected, now, "two machines send the same client identifier, as clones of one image do: each gets an address of its own",
		slog.String("client", hardwareText(c.HWAddr)), slog.String("other", hardwareText(holder.HWAddr)),
		slog.String("addr", addrText(holder.Addr)), slog.String("name", holder.Name))
}
