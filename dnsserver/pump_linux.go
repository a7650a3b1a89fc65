package dnsserver

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// pumpBatch is how many sockets one call tells of.
	pumpBatch = 64
	// junkAtOnce is how many packets of one socket are looked at before the others' turn.
	junkAtOnce = 16
	// tick is how exactly flights keep their times.
	tick = 20 * time.Millisecond
)

// pump waits for the sockets of all questions upstream, on one goroutine: a goroutine and a timer for each question would cost
// more than all of its system calls. It has an epoll instance of its own, which the runtime's waits for.
type pump struct {
	server *Server
	file   *os.File // the epoll instance
	raw    syscall.RawConn
	fd     int
	events [pumpBatch]unix.EpollEvent
	inbox  inbox
	pulse  atomic.Uint64 // see Pulses; only run writes it

	armed    atomic.Bool // the next tick is set; written with timing held
	stopping atomic.Bool
	timing   sync.Mutex // held while the tick is set or taken back

	mu       sync.Mutex // guards the rest
	attempts []*attempt // by file descriptor
	serial   int32
}

func newPump(s *Server) (*pump, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("waiting for upstreams: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("waiting for upstreams: %w", err)
	}
	p := &pump{server: s, fd: fd, file: os.NewFile(uintptr(fd), "epoll")}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("waiting for upstreams: %w", err)
	}
	return p, nil
}

// add watches an attempt's socket.
func (p *pump) add(at *attempt) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.attempts) <= at.fd {
		p.attempts = append(p.attempts, nil)
	}
	p.serial++
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(at.fd), Pad: p.serial}
	if errno := p.control(unix.EPOLL_CTL_ADD, &event); errno != 0 {
		return errno
	}
	at.serial = p.serial
	p.attempts[at.fd] = at
	return nil
}

// again tells of a socket once more if something is left in it.
func (p *pump) again(at *attempt) {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(at.fd), Pad: at.serial}
	_ = p.control(unix.EPOLL_CTL_MOD, &event)
}

func (p *pump) control(op uintptr, event *unix.EpollEvent) syscall.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), op, uintptr(event.Fd), uintptr(unsafe.Pointer(event)), 0, 0)
	return errno
}

// close closes an attempt's socket, which ends that it is watched.
func (p *pump) close(at *attempt) {
	p.mu.Lock()
	if at.fd < len(p.attempts) && p.attempts[at.fd] == at {
		p.attempts[at.fd] = nil
	}
	p.mu.Unlock()
	closeSocket(at.fd)
}

func (p *pump) attempt(event *unix.EpollEvent) *attempt {
	p.mu.Lock()
	defer p.mu.Unlock()
	// A socket that was closed meanwhile may have left its number to another.
	if at := p.attempts[event.Fd]; at != nil && at.serial == event.Pad {
		return at
	}
	return nil
}

// run receives until stop.
func (p *pump) run() {
	for {
		err := p.raw.Read(p.drain)
		if p.stopping.Load() {
			break
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			// Nothing that a working kernel says. Questions end by the tick, then.
			p.server.log.Error("waiting for upstreams", "err", err)
			time.Sleep(tick)
		}
		p.pulse.Add(1)
		p.disarm()
		if p.server.flights.advance(p.server.cache.moment(time.Now())) {
			p.arm()
		}
		p.pulse.Add(1)
	}
	p.server.flights.abandon()
}

// drain handles what is there, and always has the runtime wait for more: what comes meanwhile isn't missed.
func (p *pump) drain(fd uintptr) (done bool) {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, fd, uintptr(unsafe.Pointer(&p.events)), pumpBatch, 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return true
		}
		p.pulse.Add(1)
		for i := range int(n) {
			if at := p.attempt(&p.events[i]); at != nil {
				p.receive(at)
			}
		}
		p.pulse.Add(1)
		if n < pumpBatch {
			return false
		}
	}
}

// receive hands an attempt what came for it.
func (p *pump) receive(at *attempt) {
	for range junkAtOnce {
		if !at.flight.receive(at, &p.inbox) {
			return
		}
	}
	p.again(at)
}

// arm sees to it that flights are looked at a tick from now.
func (p *pump) arm() {
	if p.armed.Load() {
		return
	}
	p.timing.Lock()
	defer p.timing.Unlock()
	if !p.armed.Swap(true) && !p.stopping.Load() {
		_ = p.file.SetReadDeadline(time.Now().Add(tick))
	}
}

func (p *pump) disarm() {
	p.timing.Lock()
	defer p.timing.Unlock()
	p.armed.Store(false)
	if !p.stopping.Load() {
		_ = p.file.SetReadDeadline(time.Time{})
	}
}

// release gives the epoll instance back. run must have ended, or never been called.
func (p *pump) release() { _ = p.file.Close() }

// stop ends run, whatever is under way.
func (p *pump) stop() {
	p.timing.Lock()
	defer p.timing.Unlock()
	p.stopping.Store(true)
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
}
