package dnsserver

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// busyRate is from how many questions a millisecond on a worker may rest: below it a question is answered as soon as it is there.
	busyRate = 32
	// restQuestions is how many questions a rest is long enough for, and maxRest how long it is at most: what it adds to the time of an answer.
	restQuestions = 12
	maxRest       = 150 * time.Microsecond
	// fullTurn is from how many questions in a turn there is little to gain by a rest.
	fullTurn = 16
	// paceWindow is over how long the rate is looked at.
	paceWindow = time.Millisecond
)

// pace has a worker that is asked all the time rest a moment between turns, as a network card does with its interrupts: what comes meanwhile is read and
// answered by one system call instead of ten, and answers for one client leave together (see gather). Without it a worker that keeps up takes
// the questions one by one and computes all the time; with it the same questions take half the processor, and more can come.
type pace struct {
	since     time.Time
	questions int           // since then
	rest      time.Duration // between turns, 0 for none
}

// turn notes a turn that began at a time, and returns for how long the worker should rest now.
func (p *pace) turn(questions int, at time.Time) time.Duration {
	p.questions += questions
	if d := at.Sub(p.since); d >= paceWindow {
		p.rest = 0
		if p.questions >= busyRate*int(d/time.Millisecond) {
			p.rest = min(restQuestions*d/time.Duration(p.questions), maxRest)
		}
		p.since, p.questions = at, 0
	}
	if questions >= fullTurn {
		return 0
	}
	return p.rest
}

// rest waits for so long, or until an upstream has answered. It keeps the goroutine's processor: to give it away and get it back takes
// longer.
func (p *pump) rest(d time.Duration) {
	// Or the kernel would wake the thread when it suits it, within 50 µs. It is the thread's, and a goroutine's thread changes.
	_, _, _ = unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, 1, 0)
	fds := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	if p.open.Load() == 0 {
		fds = nil
	}
	poll(fds, d)
}

const (
	// soon is how fast upstreams answer, and clients ask again, that a worker waits for.
	soon = 150 * time.Microsecond
	// lingerFor is how long it waits for them.
	lingerFor = 2 * soon
	// lingerMost is how long a worker keeps the goroutine's processor in all, before it lets others look for news of their sockets.
	lingerMost = 3 * time.Millisecond
)

// linger is what a worker does instead of falling asleep if it expects something soon: an answer of an upstream on this machine or beside it, or
// another question of somebody who asks one after the other. As in a rest it keeps the goroutine's processor: for the scheduler to put a worker to sleep and to wake
// it takes as long as that answer does.
type linger struct {
	prompt bool      // the last question came soon
	since  time.Time // the last sleep
}

// wait handles answers of upstreams until there is a question at the worker's socket, and returns false if none came: the worker should sleep.
func (g *linger) wait(w *worker) (asked bool) {
	p := w.server.pump
	for time.Since(g.since) < lingerMost {
		fds, n := [2]unix.PollFd{{Fd: int32(w.socket.fd), Events: unix.POLLIN}, {Events: unix.POLLIN}}, 1
		var only *attempt
		switch {
		case p.open.Load() > 0:
			if !p.quick() {
				return false
			}
			p.provide()
			var fd int
			only, fd = p.only()
			fds[1].Fd, n = int32(fd), 2
		case !g.prompt:
			return false
		}
		if poll(fds[:n], lingerFor) <= 0 {
			g.prompt = false
			return false
		}
		if fds[1].Revents != 0 && !p.help(only) {
			return false
		}
		if fds[0].Revents != 0 {
			return true
		}
	}
	return false
}

// sleep waits for a question, and returns false if the worker has to end.
func (g *linger) sleep(w *worker) bool {
	began := time.Now()
	err := w.socket.sleep()
	g.since = time.Now()
	g.prompt = g.since.Sub(began) < soon
	return err == nil || w.listener.pause(err, "waiting at a DNS socket")
}

// poll is ppoll(2), without telling the scheduler.
func poll(fds []unix.PollFd, d time.Duration) (n int) {
	t := unix.NsecToTimespec(int64(d))
	r, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(unsafe.SliceData(fds))), uintptr(len(fds)), uintptr(unsafe.Pointer(&t)), 0, 0, 0)
	if errno != 0 {
		return -1
	}
	return int(r)
}
