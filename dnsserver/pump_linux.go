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
// more than all of its system calls. It has an epoll instance of its own, which the runtime's waits for. Workers that are busy help.
type pump struct {
	server *Server
	file   *os.File // the epoll instance
	raw    syscall.RawConn
	fd     int
	pulse  atomic.Uint64 // see Pulses; only run writes it
	open   atomic.Int32  // sockets that are watched
	lately atomic.Int64  // how long upstreams took to answer over UDP, in nanoseconds, most of all the last ones; 0 before the first

	draining sync.Mutex // guards the next two
	events   [pumpBatch]unix.EpollEvent
	inbox    inbox

	armed    atomic.Bool // the next tick is set; written with timing held
	stopping atomic.Bool
	timing   sync.Mutex // held while the tick is set or taken back

	mu       sync.Mutex // guards the rest
	attempts []*attempt // by file descriptor
	serial   int32
	spare    *watched // for the next attempt, or nil
	family   uint16   // of the newest attempt
	newest   *attempt // or nil
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

// watched is a socket that pump waits for.
type watched struct {
	fd     int
	serial int32 // a number that its successors with the same descriptor don't have
}

// add gives an attempt a socket of a family, and watches that.
func (p *pump) add(at *attempt, family uint16) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.spare
	if p.spare = nil; w == nil || p.family != family {
		if w != nil {
			closeSocket(w.fd)
		}
		var err error
		if w, err = p.watch(family); err != nil {
			return err
		}
	}
	p.family = family
	for len(p.attempts) <= w.fd {
		p.attempts = append(p.attempts, nil)
	}
	at.fd, at.serial = w.fd, w.serial
	p.attempts[at.fd], p.newest = at, at
	p.open.Add(1)
	return nil
}

// provide opens the next attempt's socket, if it can, when there is time for that: it takes a tenth of what a question takes. Until it is used it has no
// port.
func (p *pump) provide() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spare == nil && p.family != 0 {
		p.spare, _ = p.watch(p.family)
	}
}

// watch opens a socket, and has the epoll instance tell of it. mu is held.
func (p *pump) watch(family uint16) (*watched, error) {
	fd, errno := newSocket(family)
	if errno != 0 {
		return nil, errno
	}
	p.serial++
	w := &watched{fd, p.serial}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd), Pad: w.serial}
	if errno := p.control(unix.EPOLL_CTL_ADD, &event); errno != 0 {
		closeSocket(fd)
		return nil, errno
	}
	return w, nil
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
		p.open.Add(-1)
		if p.newest == at {
			p.newest = nil
		}
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
func (p *pump) drain(uintptr) (done bool) {
	for {
		p.pulse.Add(1)
		p.draining.Lock()
		n, errno := p.turn()
		p.draining.Unlock()
		p.pulse.Add(1)
		if errno != 0 {
			return true
		}
		if n < pumpBatch {
			return false
		}
	}
}

// help handles what is there, of an attempt if that is known already; it returns false if somebody else was at it. A worker that always has something to
// do calls it between its turns: the scheduler asks for news of sockets when there is nothing else to run, or after 10 ms.
func (p *pump) help(with *attempt) (done bool) {
	if p.open.Load() == 0 {
		return true
	}
	if !p.draining.TryLock() {
		return false
	}
	defer p.draining.Unlock()
	if with != nil {
		p.receive(with)
		return true
	}
	_, errno := p.turn()
	return errno == 0
}

// only returns the one attempt that is under way and its socket, or nil if there are others: asking that saves asking the epoll instance. It may have
// ended when it is used.
func (p *pump) only() (at *attempt, fd int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.newest; at != nil && p.open.Load() == 1 && p.attempts[at.fd] == at {
		return at, at.fd
	}
	return nil, p.fd
}

// quick tells whether upstreams answer soon.
func (p *pump) quick() bool {
	lately := p.lately.Load()
	return lately != 0 && lately <= int64(soon)
}

// heard notes how long an upstream took to answer.
func (p *pump) heard(rtt time.Duration) {
	if old := p.lately.Load(); old != 0 {
		rtt = time.Duration(old + (int64(rtt)-old)/8)
	}
	p.lately.Store(int64(rtt))
}

// turn handles what is there of pumpBatch sockets, and returns how many there were. draining is held.
func (p *pump) turn() (n int, errno syscall.Errno) {
	for {
		r, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events)), pumpBatch, 0, 0, 0)
		switch errno {
		case 0:
		case unix.EINTR:
			continue
		default:
			return 0, errno
		}
		for i := range int(r) {
			if at := p.attempt(&p.events[i]); at != nil {
				p.receive(at)
			}
		}
		return int(r), 0
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
func (p *pump) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.spare != nil {
		closeSocket(p.spare.fd)
		p.spare = nil
	}
	_ = p.file.Close()
}

// stop ends run, whatever is under way.
func (p *pump) stop() {
	p.timing.Lock()
	defer p.timing.Unlock()
	p.stopping.Store(true)
	_ = p.file.SetReadDeadline(time.Unix(1, 0))
}
