package generator

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"labnet/bench/dns/batch"
)

// Config is what clients are made of.
type Config struct {
	Server  netip.AddrPort
	Sources []netip.Addr // one socket each
	Window  int          // questions in flight on each socket, at most 256
	TCP     bool         // a connection each, on which questions don't wait for answers
}

// Load is one run. One of Count, Limit and Over is needed; what comes first ends it.
type Load struct {
	From    *Source
	Rate    float64         // questions a second, asked when it is their time, whatever came of those before, as long as a place is free; 0: one for each answer
	Count   int             // questions in all, at most; 0: any number
	Limit   time.Duration   // for how long questions are asked; 0: no limit
	Timeout time.Duration   // after which a question counts as lost; 0: DefaultTimeout
	Over    <-chan struct{} // closed when no more questions shall be asked; nil: never
}

// DefaultTimeout is the time after which a question counts as lost.
const DefaultTimeout = time.Second

// pace is how exactly the questions of a rate are asked.
const pace = time.Millisecond

// lookAround is how often clients look for lost questions, and whether the run was interrupted.
const lookAround = 50 * time.Millisecond

// Clients are the sockets. They belong to one goroutine.
type Clients struct {
	cfg     Config
	conns   []*conn
	epoll   int
	in, out *batch.Batch
	scratch []byte // of TCP

	// Of the run:
	load    Load
	began   time.Time
	now     time.Duration // since then, read once a batch
	started int
	turn    int // of the sockets
	result  *Result
}

// conn is one socket.
type conn struct {
	flight
	fd     int
	source netip.Addr
	in     []byte // TCP: what is there of the next answer
	out    []byte // TCP: what the kernel didn't take yet
}

// Open opens the sockets.
func Open(cfg Config) (_ *Clients, err error) {
	if cfg.Window < 1 || cfg.Window > maxWindow || len(cfg.Sources) == 0 {
		return nil, fmt.Errorf("%d sockets with %d questions each: want at least one, and 1 to %d", len(cfg.Sources), cfg.Window, maxWindow)
	}
	c := &Clients{cfg: cfg, in: batch.New(false), out: batch.New(false), scratch: make([]byte, 1<<16)}
	if c.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("making an epoll: %w", err)
	}
	defer func() {
		if err != nil {
			_ = c.Close()
		}
	}()
	for _, source := range cfg.Sources {
		n := &conn{source: source, fd: -1}
		n.slots = make([]slot, cfg.Window)
		c.conns = append(c.conns, n)
		if err := c.connect(len(c.conns) - 1); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// connect opens a socket's place in the world.
func (c *Clients) connect(i int) error {
	n, kind := c.conns[i], unix.SOCK_DGRAM
	if c.cfg.TCP {
		kind = unix.SOCK_STREAM
	}
	fd, err := unix.Socket(unix.AF_INET, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket: %w", err)
	}
	n.fd, n.in, n.out = fd, n.in[:0], n.out[:0]
	if !c.cfg.TCP {
		batch.Enlarge(fd)
	} else if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: n.source.As4()}); err != nil {
		return fmt.Errorf("binding to %v: %w", n.source, err)
	}
	server := &unix.SockaddrInet4{Addr: c.cfg.Server.Addr().As4(), Port: int(c.cfg.Server.Port())}
	if err := unix.Connect(fd, server); err != nil {
		return fmt.Errorf("connecting to %v: %w", c.cfg.Server, err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	return unix.EpollCtl(c.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(i)})
}

// Close closes the sockets.
func (c *Clients) Close() error {
	var errs []error
	for _, n := range c.conns {
		if n.fd >= 0 {
			errs = append(errs, unix.Close(n.fd))
		}
	}
	return errors.Join(append(errs, unix.Close(c.epoll))...)
}

// Run asks until the load is done, and returns when every question has an answer or is lost. An error is a socket's, or the end of
// ctx; what goes wrong with the server is in the result. The calling goroutine should be locked to a thread that has a CPU of its own.
func (c *Clients) Run(ctx context.Context, load Load) (*Result, error) {
	if load.Count == 0 && load.Limit == 0 && load.Over == nil {
		return nil, errors.New("a run without an end")
	}
	if load.Timeout == 0 {
		load.Timeout = DefaultTimeout
	}
	c.load, c.result, c.started, c.began, c.now = load, &Result{}, 0, time.Now(), 0
	if err := c.fillAll(); err != nil {
		return nil, err
	}
	inTime := -1 // answers when the time was over; what is in flight then doesn't count, neither its number nor its time
	for look := lookAround; ; {
		if inTime < 0 && c.late() {
			inTime, c.result.Elapsed = c.result.Answers, c.now
		}
		if c.over() && c.idle() {
			break
		}
		if err := c.listen(); err != nil {
			return nil, err
		}
		if load.Rate > 0 {
			if err := c.fillAll(); err != nil {
				return nil, err
			}
		}
		if c.now >= look {
			look = c.now + lookAround
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if err := c.giveUp(); err != nil {
				return nil, err
			}
		}
	}
	if inTime >= 0 {
		c.result.Answers = inTime
	} else {
		c.result.Elapsed = max(c.now, 1)
	}
	return c.result, nil
}

// over says whether no further question is asked.
func (c *Clients) over() bool {
	return c.load.Count > 0 && c.started >= c.load.Count || c.late()
}

// followed says whether an answer brings the next question.
func (c *Clients) followed() bool { return c.load.Rate == 0 && !c.over() }

// early says whether it isn't yet time for the next question.
func (c *Clients) early() bool {
	return c.load.Rate > 0 && float64(c.started) >= c.load.Rate*c.now.Seconds()
}

func (c *Clients) late() bool {
	select {
	case <-c.load.Over:
		return true
	default:
		return c.load.Limit > 0 && c.now >= c.load.Limit
	}
}

func (c *Clients) idle() bool {
	for _, n := range c.conns {
		if n.waiting > 0 {
			return false
		}
	}
	return true
}

// fillAll asks a question in every free place, those sockets first that others went before the last time.
func (c *Clients) fillAll() error {
	for range c.conns {
		if c.early() {
			return nil
		}
		c.turn++
		if err := c.fill(c.conns[c.turn%len(c.conns)]); err != nil {
			return err
		}
	}
	return nil
}

// fill asks a question in every free place of a socket.
func (c *Clients) fill(n *conn) error {
	for i := range n.slots {
		if c.over() || c.early() {
			break
		}
		if n.slots[i].waits {
			continue
		}
		if err := c.ask(n, i); err != nil {
			return err
		}
	}
	return c.flush(n)
}

// ask asks the next question in a place of a socket; flush sends it.
func (c *Clients) ask(n *conn, i int) error {
	c.started++
	s := n.ask(i, c.load.From, c.now)
	if c.cfg.TCP {
		n.out = append(append(n.out, 0, s.len), s.message()...)
		return nil
	}
	if c.out.Put(s.message()) {
		return c.flush(n)
	}
	return nil
}

func (c *Clients) flush(n *conn) error {
	if c.cfg.TCP {
		return c.write(n)
	}
	refused, err := c.out.Flush(n.fd)
	c.result.Unsent += refused
	return err
}

// listen waits until sockets have answers, and deals with them.
func (c *Clients) listen() error {
	var events [64]unix.EpollEvent
	wait := lookAround
	if c.load.Rate > 0 {
		wait = pace
	}
	ready, err := unix.EpollWait(c.epoll, events[:], int(wait/time.Millisecond))
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("waiting for answers: %w", err)
	}
	c.now = time.Since(c.began)
	for _, event := range events[:max(ready, 0)] {
		if c.cfg.TCP {
			err = c.read(int(event.Fd))
		} else {
			err = c.receive(c.conns[event.Fd])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// receive takes the datagrams that have come to a socket, and asks as many new questions.
func (c *Clients) receive(n *conn) error {
	got, err := c.in.Receive(n.fd, batch.Size, false)
	if err != nil {
		return err
	}
	c.now = time.Since(c.began)
	for k := range got {
		i, ok := n.hear(c.in.Data(k), c.now, c.result)
		if !ok || !c.followed() {
			continue
		}
		if err := c.ask(n, i); err != nil {
			return err
		}
	}
	return c.flush(n)
}

// giveUp counts questions that have waited for too long as lost, and asks others in their places.
func (c *Clients) giveUp() error {
	for _, n := range c.conns {
		lost := false
		for i := range n.slots {
			if s := &n.slots[i]; s.waits && c.now-s.sent >= c.load.Timeout {
				n.end(i)
				c.result.Lost++
				lost = true
			}
		}
		if lost || n.waiting < len(n.slots) {
			if err := c.fill(n); err != nil {
				return err
			}
		}
	}
	return nil
}
