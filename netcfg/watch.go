package netcfg

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
)

const (
	// settle is how long events are collected before the host is looked at: they come in bursts.
	settle = 50 * time.Millisecond
	// pollEvery bounds how long a change goes unseen that the kernel tells nobody of, as it does for most sysctls.
	pollEvery = 5 * time.Second
	// resubscribeAfter is the wait before events are asked for again.
	resubscribeAfter = 200 * time.Millisecond
)

// Run keeps the kernel as the last Apply left it, until ctx ends: it attaches links that match, follows the uplink, and
// repairs drift. Before an Apply, and after a Down, it waits. It may be called once at a time.
func (h *Host) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return h.watch(ctx, h.subscribeRoute, func(netlink.Message) bool { return true }) })
	group.Go(func() error { return h.watch(ctx, h.subscribeFilter, h.edit) })
	group.Go(func() error { return h.reconcileLoop(ctx) })
	return group.Wait()
}

func (h *Host) reconcileLoop(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	k := newKeeper()
	// What changed between Apply and the subscription is seen by a first look.
	again := time.After(settle)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
			if !pause(ctx, settle) {
				return nil
			}
			select {
			case <-h.wake:
			default:
			}
		case <-poll.C:
		case <-again:
		}
		again = nil
		if wait := h.reconcile(ctx, k); wait > 0 {
			again = time.After(wait)
		}
	}
}

// pause reports whether the time passed before ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// watch wakes the reconciler at every event that matters. A subscription that failed has lost events, so that the host is looked at
// as a whole whenever a new one stands.
func (h *Host) watch(ctx context.Context, subscribe func() (*netlink.Conn, error), matters func(netlink.Message) bool) error {
	for ctx.Err() == nil {
		conn, err := subscribe()
		if err != nil {
			// Polling goes on.
			h.log.Warn("can't watch the host's network", "err", err)
			pause(ctx, pollEvery)
			continue
		}
		h.log.Debug("watching the host's network")
		h.edits.Store(0)
		h.nudge()
		err = receive(ctx, conn, func(m netlink.Message) error {
			if matters(m) {
				h.nudge()
			}
			return nil
		})
		if closed := conn.Close(); err == nil {
			err = closed
		}
		if ctx.Err() != nil {
			return nil
		}
		h.log.Debug("events of the host's network were lost", "err", err)
		pause(ctx, resubscribeAfter)
	}
	return nil
}

// receive calls take with each message that comes, until that or the socket fails, or ctx ends.
func receive(ctx context.Context, conn *netlink.Conn, take func(netlink.Message) error) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	for {
		messages, err := conn.Receive()
		if err != nil {
			return err
		}
		for _, m := range messages {
			if err := take(m); err != nil {
				return err
			}
		}
	}
}

// eventBuffer holds the events of a burst, such as a large ruleset being loaded.
const eventBuffer = 16 << 20

func (h *Host) subscribeRoute() (*netlink.Conn, error) {
	return h.subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE,
		unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_ROUTE)
}

func (h *Host) subscribeFilter() (*netlink.Conn, error) {
	return h.subscribe(unix.NETLINK_NETFILTER, unix.NFNLGRP_NFTABLES)
}

func (h *Host) subscribe(protocol int, groups ...uint32) (conn *netlink.Conn, err error) {
	err = h.ns.inside(func() error {
		conn, err = netlink.Dial(protocol, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = conn.SetReadBuffer(eventBuffer)
	for _, g := range groups {
		err = errors.Join(err, conn.JoinGroup(g))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("subscribing to network events: %w", err), conn.Close())
	}
	return conn, nil
}

// process is one that changed nftables.
type process struct {
	pid  uint32
	name string
}

func (p *process) String() string {
	if p == nil {
		return "unknown"
	}
	return fmt.Sprintf("%s (pid %d)", p.name, p.pid)
}

// edit reports whether an event ends a change of nftables, and remembers whose, if it wasn't ours.
func (h *Host) edit(m netlink.Message) bool {
	if uint16(m.Header.Type) != nfKind(unix.NFT_MSG_NEWGEN) {
		return false
	}
	var p process
	if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_GEN_PROC_PID:
			p.pid = big32(v)
		case unix.NFTA_GEN_PROC_NAME:
			p.name = text(v)
		}
	}); err != nil {
		return true
	}
	// The kernel gives a thread's id, of the first process namespace: names are what can be compared.
	if p.name != h.self {
		h.editor.Store(&p)
		return true
	}
	// The follower's own changes are known. (Whoever else has our name is seen by the next look.)
	if left := h.edits.Add(-1); left >= 0 {
		return false
	}
	h.edits.Add(1)
	return true
}
