package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"labnet/internal/nettest"
)

// served is a server that runs for a test.
func served(t *testing.T, handler http.Handler, at string) *Server {
	t.Helper()
	leaks := goleak.IgnoreCurrent()
	s := Listen(netip.MustParseAddrPort(at), handler, slog.New(slog.DiscardHandler))
	if err := s.Missing(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, leaks)
	})
	return s
}

func hello() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
}

// freeAddr is an address on which nobody listens.
func freeAddr(t *testing.T, ip string) string {
	t.Helper()
	l, err := net.Listen("tcp", net.JoinHostPort(ip, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// get asks over a connection of its own from an address.
func get(from, at string) error {
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{
		LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)},
	}).DialContext}}
	r, err := client.Get("http://" + at + "/")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && string(body) != "hello" {
		err = fmt.Errorf("%s: %q", r.Status, body)
	}
	return err
}

func TestReconfigure(t *testing.T) {
	first, second := freeAddr(t, "127.0.0.1"), freeAddr(t, "127.0.0.1")
	s := served(t, hello(), first)
	to := func(at string) error {
		if at == "" {
			return s.Reconfigure(netip.AddrPort{})
		}
		return s.Reconfigure(netip.MustParseAddrPort(at))
	}
	// There and back at once, to all addresses and back, and to none.
	everywhere := "0.0.0.0" + first[strings.LastIndex(first, ":"):]
	for _, at := range []string{first, second, first, everywhere, first, "", first} {
		if err := to(at); err != nil {
			t.Fatalf("to %q: %v", at, err)
		}
		if at == "" {
			if err := get("127.0.0.1", first); err == nil {
				t.Error("answered without a port")
			}
			continue
		}
		if err := get("127.0.0.1", strings.Replace(at, "0.0.0.0", "127.0.0.1", 1)); err != nil {
			t.Errorf("on %s: %v", at, err)
		}
	}

	taken, err := net.Listen("tcp", second)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, at := range []string{second, "0.0.0.0" + second[strings.LastIndex(second, ":"):]} {
		err := to(at)
		var owner *PortTakenError
		if !errors.As(err, &owner) || owner.PID != os.Getpid() || !strings.Contains(err.Error(), "metrics block") {
			t.Errorf("a taken port: %v", err)
		}
		if err := get("127.0.0.1", first); err != nil {
			t.Errorf("after a change that failed: %v", err)
		}
	}
	// An address that isn't the host's yet.
	if err := to("192.0.2.77:9167"); err != nil {
		t.Error(err)
	}
}

// TestFloodedByConnections opens ten thousand connections that send nothing, or a byte now and then. Others are answered meanwhile, of
// other addresses at once, and none takes more than its share.
func TestFloodedByConnections(t *testing.T) {
	at := freeAddr(t, "127.0.0.1")
	s := served(t, hello(), at)
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.66")}}
	var attack sync.WaitGroup
	for worker := range 20 {
		attack.Go(func() {
			for i := range 500 {
				conn, err := dialer.Dial("tcp", at)
				if err != nil {
					continue
				}
				defer conn.Close()
				if (worker+i)%2 == 0 {
					_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nX-Slow")
				}
			}
		})
	}
	for range 50 {
		if err := get("127.0.0.1", at); err != nil {
			t.Errorf("another one isn't answered: %v", err)
		}
	}
	attack.Wait()
	s.mu.Lock()
	guard := s.port.listener
	s.mu.Unlock()
	guard.mu.Lock()
	open := len(guard.seats)
	guard.mu.Unlock()
	if open > maxConnections {
		t.Errorf("%d connections", open)
	}
	// Its own, now that the attacker holds its connections open but makes no new ones.
	nettest.Eventually(t, 10*time.Second, func() error { return get("127.0.0.66", at) })
}

// TestConnectionsOfAnswersStay: whoever is being answered isn't displaced, and beyond the bound nobody comes in.
func TestConnectionsOfAnswersStay(t *testing.T) {
	at := freeAddr(t, "127.0.0.1")
	release, reached := make(chan struct{}), make(chan struct{}, maxPerClient)
	served(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached <- struct{}{}
		<-release
		_, _ = io.WriteString(w, "hello")
	}), at)
	results := make(chan error, maxPerClient)
	for range maxPerClient {
		go func() { results <- get("127.0.0.1", at) }()
	}
	for range maxPerClient {
		<-reached
	}
	if err := get("127.0.0.1", at); err == nil {
		t.Error("one too many was answered")
	}
	close(release)
	for range maxPerClient {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}
