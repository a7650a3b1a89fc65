package generator

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Workload is what the clients of a run do.
type Workload string

const (
	// New is clients that were never seen, from DISCOVER to ACK: one exchange is four messages.
	New Workload = "new"
	// Renew is clients in RENEWING state: a REQUEST by unicast with their address in ciaddr. Over a relay, they go the way that a
	// relay agent would carry them.
	Renew Workload = "renew"
	// Reboot is clients that return after a restart and ask for their former address: INIT-REBOOT.
	Reboot Workload = "reboot"
)

// Load is one run.
type Load struct {
	Workload Workload
	Window   int             // clients in flight at most
	Count    int             // exchanges to begin, at most; 0: any number
	Limit    time.Duration   // no exchange begins later; 0: no limit. One of Count, Limit and Over is needed
	Over     <-chan struct{} // no exchange begins after it is closed; nil: it isn't
	Among    int             // only the first so many clients take part, of those that have an address; 0: all
	Rate     float64         // exchanges a second to begin, as long as the window allows; 0: as many as the server answers
	Retry    time.Duration   // after which a client says it again; 0: DefaultRetry
	Tries    int             // after which it gives up; 0: DefaultTries
}

// What clients do that hear nothing.
const (
	DefaultRetry = time.Second
	DefaultTries = 4
)

// retryCheck is how often clients look whether they have waited long enough.
const retryCheck = 20 * time.Millisecond

// run is the state of a Run.
type run struct {
	load   Load
	began  time.Time
	now    time.Duration // since began, once a batch
	starts int
	next   int // in bound
	flying []int32
	check  time.Duration
	result Result
}

// Run lets the crowd do its work, and returns when every exchange that has begun is complete or given up. An error is the
// socket's, or the end of ctx; what goes wrong with the server is in the result.
func (c *Crowd) Run(ctx context.Context, load Load) (Result, error) {
	if load.Retry == 0 {
		load.Retry = DefaultRetry
	}
	if load.Tries == 0 {
		load.Tries = DefaultTries
	}
	if load.Count == 0 && load.Limit == 0 && load.Over == nil {
		return Result{}, fmt.Errorf("a run without an end")
	}
	if load.Workload != New && len(c.bound) == 0 {
		return Result{}, fmt.Errorf("%s: no client has an address", load.Workload)
	}
	c.run = run{load: load, began: time.Now()}
	r := &c.run
	for {
		if err := c.begin(); err != nil {
			return Result{}, err
		}
		if err := c.flush(); err != nil {
			return Result{}, err
		}
		if r.over() && r.result.Elapsed == 0 {
			r.result.Elapsed, r.result.inTime = max(r.now, 1), r.result.Exchanges
		}
		if len(r.flying) == 0 && r.over() {
			break
		}
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		if err := c.listen(); err != nil {
			return Result{}, err
		}
	}
	r.result.finish()
	return r.result, nil
}

// over says whether no further exchange begins.
func (r *run) over() bool {
	select {
	case <-r.load.Over:
		return true
	default:
	}
	return r.load.Count > 0 && r.starts >= r.load.Count || r.load.Limit > 0 && r.now >= r.load.Limit
}

// due is how many exchanges should have begun by now.
func (r *run) due() int {
	if r.load.Rate == 0 {
		return r.starts + r.load.Window
	}
	return int(r.now.Seconds()*r.load.Rate) + 1
}

// begin begins exchanges, as the window allows.
func (c *Crowd) begin() error {
	r := &c.run
	for due := r.due(); len(r.flying) < r.load.Window && r.starts < due && !r.over(); {
		number, ok, err := c.choose()
		if err != nil || !ok {
			return err
		}
		cl := &c.clients[number]
		cl.epoch++
		cl.xid = cl.epoch<<numberBits | uint32(number)
		cl.waits, cl.tries = ack, 1
		if r.load.Workload == New {
			cl.waits = offer
		}
		cl.began, cl.asked, cl.sent = r.now, r.now, r.now
		cl.place = int32(len(r.flying))
		r.flying = append(r.flying, number)
		r.starts++
		if err := c.say(r.load.Workload, number); err != nil {
			return err
		}
	}
	return nil
}

// choose picks the next client: a new one, or the next in turn of those that have an address. There is none when all are
// in flight.
func (c *Crowd) choose() (number int32, ok bool, err error) {
	if c.run.load.Workload == New {
		number, err = c.newcomer()
		return number, err == nil, err
	}
	among := c.bound
	if n := c.run.load.Among; n > 0 && n < len(among) {
		among = among[:n]
	}
	for range among {
		number = among[c.run.next%len(among)]
		c.run.next++
		if cl := &c.clients[number]; cl.waits == 0 && cl.firm {
			return number, true, nil
		}
	}
	return 0, false, nil
}

// listen waits for answers, and deals with them.
func (c *Crowd) listen() error {
	r := &c.run
	n, err := c.in.receive()
	if err != nil {
		return err
	}
	if n == 0 {
		if err := c.wait(); err != nil {
			return err
		}
		if n, err = c.in.receive(); err != nil {
			return err
		}
	}
	r.now = time.Since(r.began)
	for i := range n {
		if err := c.hear(c.in.data(i)); err != nil {
			return err
		}
	}
	if r.now >= r.check {
		r.check = r.now + min(retryCheck, r.load.Retry)
		return c.retry()
	}
	return nil
}

// wait sleeps until there is something to receive or to send.
func (c *Crowd) wait() error {
	r := &c.run
	pause := retryCheck
	if r.load.Rate > 0 && !r.over() && len(r.flying) < r.load.Window {
		at := time.Duration(float64(r.starts) / r.load.Rate * float64(time.Second))
		pause = min(pause, max(at-time.Since(r.began), 0))
	}
	timeout := unix.NsecToTimespec(int64(pause))
	_, err := unix.Ppoll([]unix.PollFd{{Fd: int32(c.fd), Events: unix.POLLIN}}, &timeout, nil)
	if err != nil && err != unix.EINTR {
		return fmt.Errorf("waiting for answers: %w", err)
	}
	return nil
}

// retry lets those say it again who have waited for too long.
func (c *Crowd) retry() error {
	r := &c.run
	for i := 0; i < len(r.flying); {
		number := r.flying[i]
		cl := &c.clients[number]
		switch {
		case r.now-cl.sent < r.load.Retry:
			i++
		case int(cl.tries) >= r.load.Tries:
			r.result.Lost++
			c.land(number) // puts another one in its place
		default:
			cl.tries++
			cl.sent = r.now
			r.result.Repeated++
			if err := c.say(r.load.Workload, number); err != nil {
				return err
			}
			i++
		}
	}
	return nil
}

// land takes a client out of the air.
func (c *Crowd) land(number int32) {
	r := &c.run
	cl := &c.clients[number]
	last := r.flying[len(r.flying)-1]
	r.flying[cl.place] = last
	c.clients[last].place = cl.place
	r.flying = r.flying[:len(r.flying)-1]
	cl.waits = 0
}
