package netcfg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"labnet/internal/nettest"
)

// overheardFrames collects what a host overhears, as "network text", and stops with the test.
func overheardFrames(t *testing.T, h *Host) func() []string {
	t.Helper()
	var mu sync.Mutex
	var heard []string
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- h.Overhear(ctx, func(network string, frame []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, fmt.Sprintf("%s %x %s", network, frame[6:12], bytes.TrimSpace(frame[14+20+8:])))
		})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string{}, heard...)
	}
}

// What a guest says as a DHCP server is kept from the others, and shown with its network's name and its sender.
func TestOverhear(t *testing.T) {
	for _, adopted := range []bool{false, true} {
		t.Run(map[bool]string{false: "a guest's port", true: "a foreign port of an adopted bridge"}[adopted], func(t *testing.T) {
			r := newRouter(t)
			n := lab()
			if adopted {
				n.Adopt, n.Attach = true, []string{"none*"}
				r.Run(t, "ip", "link", "add", "br0", "type", "bridge")
				r.Run(t, "ip", "link", "set", "br0", "up")
			}
			a := r.guest(t, "tap0", "10.0.0.10/24")
			if adopted {
				r.Run(t, "ip", "link", "set", "tap0", "master", "br0", "up")
			}
			h := r.open(t)
			apply(t, h, networks(n))
			inOrder(t, h, networks(n))
			heard := overheardFrames(t, h)
			out, index := rawSocket(t, a)
			const guest = "02:aa:00:00:00:0a"
			sent := 0
			nettest.Eventually(t, patience, func() error {
				sent++
				for _, frame := range [][]byte{
					udp4("192.168.1.1", 67, 68, fmt.Sprintf("offer %d", sent)), udp4("10.0.0.10", 67, 69, "no offer"), udp4("0.0.0.0", 68, 67, "discover"),
				} {
					if err := unix.Sendto(out, ethernet(guest, unix.ETH_P_IP, frame), 0, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
						t.Fatal(err)
					}
				}
				if len(heard()) == 0 {
					return errors.New("nothing is heard")
				}
				return nil
			})
			for _, text := range heard() {
				if !strings.HasPrefix(text, "lab 02aa0000000a offer ") {
					t.Errorf("heard %q", text)
				}
			}
		})
	}
}

// A group that somebody else listens to is said once, and used as soon as it is free.
func TestOverhearWaitsForTheGroup(t *testing.T) {
	r := newRouter(t)
	h := r.open(t)
	apply(t, h, networks(lab()))
	var first *netlink.Conn
	var err error
	if first, err = h.openOverhearing(); err != nil {
		t.Fatal(err)
	}
	if _, err := h.openOverhearing(); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("a second listener: %v", err)
	}
	var log bytes.Buffer
	h.log = slog.New(slog.NewTextHandler(&log, nil))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Overhear(ctx, func(string, []byte) {}) }()
	pause(ctx, 4500*1e6)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	nettest.Eventually(t, patience, func() error {
		conn, err := h.openOverhearing()
		if err == nil {
			_ = conn.Close()
			return errors.New("it isn't used again")
		}
		return nil
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "go unnoticed"); n != 1 {
		t.Errorf("said %d times:\n%s", n, &log)
	}
}
