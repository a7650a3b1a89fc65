package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"labnet/dhcpserver"
	"labnet/dnsserver"
	"labnet/internal/control"
	"labnet/internal/hooks"
	"labnet/internal/succession"
)

// What is kept for the next process beside the sockets.
const (
	willName  = "will"  // text, see will
	imageName = "image" // the program that this process has been, should the next one not come to serve
)

// returnedEnv tells a program that has its place back why.
const returnedEnv = "LABNET_RETURNED"

// will is what a daemon leaves to the next one that isn't on disk. Versions differ: what isn't understood is left out.
type will struct {
	Version string   `json:"version"`
	Command []string `json:"command"` // that it was run by
	Since   int64    `json:"since"`   // when it stopped to serve, in nanoseconds of CLOCK_MONOTONIC

	Offers []byte                          `json:"offers"` // of addresses that weren't requested yet
	DHCP   map[string][]dhcpserver.Message `json:"dhcp"`   // that wait for ARP, by network
	DNS    dnsserver.Left                  `json:"dns"`
	Events []hooks.Event                   `json:"events"` // that hooks weren't told of
}

// former is the daemon that this one follows.
type former struct {
	takeover *control.Takeover // nil: there was none
	text     []byte
	will     will     // as far as it is understood
	image    *os.File // its program; nil: there is no way back
	serving  int64    // when guests that waited for it are served again, see will; 0: not yet
}

func (d *daemon) noteServing() { d.former.serving = monotonic() }

func monotonic() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0
	}
	return now.Nano()
}

// readFormer takes what the daemon before has left, but its sockets.
func (d *daemon) readFormer() {
	failed := os.Getenv(returnedEnv)
	_ = os.Unsetenv(returnedEnv) // it fails for names that can't be
	d.former.image = d.estate.TakeFile(imageName)
	text, ok := d.estate.TakeText(willName)
	if ok {
		d.former.text = text
		if err := json.Unmarshal(text, &d.former.will); err != nil {
			d.log.Warn("what the daemon before has left can't be read", "err", err)
		}
	} else if failed == "" {
		return
	}
	d.former.takeover = &control.Takeover{Failed: failed}
	// A program that has its place back was run by a number.
	_ = os.WriteFile("/proc/self/comm", []byte("labnet"), 0)
	// Whoever fails must not take the sockets along.
	d.estate.Seal(true)
}

// succeed is called when everything serves: what the one before has left and nobody took is given up.
func (d *daemon) succeed() {
	d.ready = true
	d.estate.Seal(false)
	d.estate.Settle()
	if d.former.image != nil {
		_ = d.former.image.Close()
		d.former.image = nil
	}
	t := d.former.takeover
	if t == nil {
		return
	}
	if d.former.serving == 0 {
		d.noteServing()
	}
	t.From, t.Pause = d.former.will.Version, int(time.Duration(d.former.serving-d.former.will.Since)/time.Millisecond)
	d.log.Info("took over from the daemon before, with its sockets", "from", t.From, "version", d.opts.Version, "pause_ms", t.Pause)
	if t.Failed != "" {
		d.log.Error("the upgrade failed; what ran before runs again", "err", t.Failed)
	}
}

// takeUp has the parts begin with what the daemon before has left.
func (d *daemon) takeUp() {
	w := &d.former.will
	if len(w.Offers) > 0 {
		if err := d.table.TakeOffers(w.Offers, time.Now()); err != nil {
			d.log.Warn("what the daemon before has offered can't be read", "err", err)
		}
	}
	d.dns.TakeUp(w.DNS)
	d.links.takeUp(w.DHCP)
	d.hooks.takeUp(w.Events)
}

// allowUpgrade decides whether the program takes this process over: not before it has shown that it starts, and can read the
// configuration. Called in turn.
func (d *daemon) allowUpgrade(ctx context.Context) (version string, err error) {
	state, err := d.hand.State()
	switch {
	case err != nil:
		return "", err
	case state.Phase.Armed():
		return "", fmt.Errorf("%w: a change of the uplink waits to be confirmed; confirm it, or roll it back, first", control.ErrConflict)
	case d.opts.Ephemeral:
		return "", fmt.Errorf("%w: an ephemeral daemon takes its network along, and leaves nothing to another", control.ErrConflict)
	}
	if version, err = selfTest(ctx, d.opts.Program, d.opts.Args); err != nil {
		return "", fmt.Errorf("%w: %w", control.ErrConflict, err)
	}
	d.log.Info("another program takes over", "program", d.opts.Program, "version", version)
	d.takeover = true
	return version, nil
}

// Upgrade implements control.Backend.
func (d *daemon) Upgrade(ctx context.Context) (answer control.Upgrade, err error) {
	answer = control.Upgrade{From: d.opts.Version, Started: d.started, Program: d.opts.Program}
	err = d.inTurn(ctx, func(t turn) error {
		answer.To, err = d.allowUpgrade(t.ctx)
		return err
	})
	return answer, err
}

// sayEnd tells the log and systemd that, and how, the daemon ends.
func (d *daemon) sayEnd(leaves bool) {
	if d.takeover {
		notify(d.log, sdnotify.SdNotifyReloading)
		return
	}
	notify(d.log, sdnotify.SdNotifyStopping)
	if leaves {
		d.log.Info("stopping; systemd keeps the sockets for a restart")
		return
	}
	d.log.Info("stopping")
}

// prepareToLeave ends what can end while guests are still served, so that they wait for none of it: requests under way, and hooks.
func (d *daemon) prepareToLeave(t turn, api *control.Server, talk, last tasks) {
	d.leaves = true
	d.dns.Leave()
	d.estate.Seal(true)
	api.Leave()
	talk.stop()
	last.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = talk.Wait(), last.Wait() // serve waits for them too, and has their errors
	}()
	for {
		select {
		case request := <-d.turns:
			request.done <- request.change(t)
		case <-ended:
			return
		}
	}
}

// noteLeaving notes when nobody is served any more, and lets go what nobody shall follow in.
func (d *daemon) noteLeaving() {
	d.since = monotonic()
	if !d.leaves {
		d.estate.Abandon()
	}
}

// handOn is the last that happens: with the sockets another program takes this process over, or systemd keeps them. What has ended with err
// has been put to rest.
func (d *daemon) handOn(ctx context.Context, err error) error {
	switch {
	case d.leaves:
		text, failed := json.Marshal(d.left())
		if failed == nil {
			failed = d.estate.KeepText(willName, text)
		}
		if failed != nil {
			d.log.Warn("the next daemon isn't told what this one knows", "err", failed)
		}
		if !d.takeover || ctx.Err() != nil {
			return err
		}
		if err != nil {
			d.log.Warn("something went wrong at the end; another program takes over all the same", "err", err)
		}
		return d.become(d.opts.Program)
	case err != nil && d.former.image != nil && ctx.Err() == nil:
		d.log.Error("can't take over from the daemon before: it gets its place back", "err", err)
		return errors.Join(err, d.goBack(err))
	}
	return err
}

// become runs another program in this process, or what this process is if that fails.
func (d *daemon) become(program string) error {
	image, err := os.Open(thisImage)
	if err == nil {
		err = d.estate.KeepHere(imageName, int(image.Fd()))
	}
	if err != nil {
		d.log.Warn("should the other program fail, there is no way back", "err", err)
	}
	forgetSignals()
	err = d.estate.Exec(program, d.command(), os.Environ())
	d.log.Error("the other program can't be run: this one goes on", "err", err)
	d.estate.Forget(imageName)
	return errors.Join(err, d.runAgain(thisImage, d.command(), err))
}

// thisImage is the program that runs, whatever stands at its path by now.
const thisImage = "/proc/self/exe"

// goBack runs the program before again.
func (d *daemon) goBack(why error) error {
	if d.former.text != nil {
		if err := d.estate.KeepText(willName, d.former.text); err != nil {
			d.log.Warn("the next daemon isn't told what this one knows", "err", err)
		}
	}
	command := d.former.will.Command
	if len(command) == 0 {
		command = d.command()
	}
	return d.runAgain(fmt.Sprintf("/proc/self/fd/%d", d.former.image.Fd()), command, why)
}

func (d *daemon) runAgain(image string, command []string, why error) error {
	forgetSignals()
	return d.estate.Exec(image, command, append(os.Environ(), returnedEnv+"="+why.Error()))
}

// command is how this daemon was run.
func (d *daemon) command() []string { return append([]string{d.opts.Program}, d.opts.Args...) }

// forgetSignals keeps signals that come before the next program listens from ending it. It reads the configuration later anyway.
func forgetSignals() { signal.Ignore(syscall.SIGHUP, syscall.SIGUSR2) }

// left is what this daemon leaves.
func (d *daemon) left() will {
	return will{
		Version: d.opts.Version, Command: d.command(), Since: d.since,
		Offers: d.table.Offers(time.Now()), DHCP: d.links.unanswered(), DNS: d.dns.Left(), Events: d.hooks.untold(),
	}
}

// selfTestTime bounds a self-test.
const selfTestTime = 30 * time.Second

// SelfTestFlag has `run` load what a start needs, print its version, and end.
const SelfTestFlag = "self-test"

// selfTest runs a program as it would run in our place, but for a test.
func selfTest(ctx context.Context, program string, args []string) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, selfTestTime)
	defer cancel()
	return testProgram(ctx, program, append(args[:len(args):len(args)], "--"+SelfTestFlag), succession.Environment())
}
