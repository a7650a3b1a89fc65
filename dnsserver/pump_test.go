package dnsserver

import (
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The socket that is kept ready for the next question has no port: nobody can find out by then where its answer is awaited.
func TestSpareSocketHasNoPort(t *testing.T) {
	up := startUpstream(t, world)
	s := startServer(t, withUpstreams(t, up.addr), testLeases())
	p := s.pump
	port := func(fd int) int {
		t.Helper()
		name, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		return name.(*unix.SockaddrInet4).Port
	}
	var spare int
	p.family = unix.AF_INET
	p.provide()
	if spare = p.spare.fd; port(spare) != 0 {
		t.Fatalf("the spare socket has port %d", port(spare))
	}
	fl := &flight{server: s.Server}
	at := &attempt{flight: fl, u: &upstream{addr: netip.MustParseAddrPort("127.0.0.1:9")}, fd: -1, message: []byte("question")}
	if err := at.open(s.Server, []byte{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	if at.fd != spare || port(spare) == 0 || p.spare != nil {
		t.Errorf("the question went from socket %d with port %d, another is ready: %v", at.fd, port(at.fd), p.spare != nil)
	}
	if got, fd := p.only(); got != at || fd != spare {
		t.Errorf("the only question under way is %v", got)
	}
	at.close(s.Server)
	if got, _ := p.only(); got != nil || p.open.Load() != 0 {
		t.Errorf("%v is under way, %d sockets are open", got, p.open.Load())
	}
	// One of the other family is of no use.
	p.provide()
	old := p.spare.fd
	six := &attempt{flight: fl, fd: -1}
	if err := p.add(six, unix.AF_INET6); err != nil {
		t.Fatal(err)
	}
	defer p.close(six)
	if _, err := unix.Getsockname(six.fd); err != nil || p.spare != nil {
		t.Errorf("%v; the spare one was %d, and is %v", err, old, p.spare)
	}
}

// What upstreams took lately tells whether a worker waits for them.
func TestQuickUpstreams(t *testing.T) {
	p := &pump{}
	if p.quick() {
		t.Error("quick before the first answer")
	}
	p.heard(soon / 2)
	if !p.quick() {
		t.Error("not quick after a quick answer")
	}
	p.heard(20 * time.Millisecond)
	if p.quick() {
		t.Error("quick after a slow one")
	}
	for range 100 {
		p.heard(soon / 2)
	}
	if !p.quick() {
		t.Error("not quick after a hundred quick ones")
	}
}
