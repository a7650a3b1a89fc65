package dhcpclient

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// clock is time that nobody sets, and that goes on while the machine is suspended: leases end then, too.
type clock struct {
	timer *os.File
}

func newClock() (*clock, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making a timer: %w", err)
	}
	return &clock{os.NewFile(uintptr(fd), "timer of the DHCP client")}, nil
}

// now is the time since the machine was started.
func (c *clock) now() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("no boot clock: " + err.Error()) // Linux has it since 2.6.39
	}
	return time.Duration(t.Nano())
}

// arm makes the timer tick at a moment, instead of the one that was set before.
func (c *clock) arm(at time.Duration) error {
	var spec unix.ItimerSpec // zero: not at all
	if at != never {
		spec.Value = unix.NsecToTimespec(max(int64(at), 1))
	}
	if err := control(c.timer, func(fd int) error { return unix.TimerfdSettime(fd, unix.TFD_TIMER_ABSTIME, &spec, nil) }); err != nil {
		return fmt.Errorf("setting the timer: %w", err)
	}
	return nil
}

// ticks hands each tick to the loop, until ctx ends.
func (c *clock) ticks(ctx context.Context, l *loop) error {
	var expirations [8]byte
	for {
		if _, err := c.timer.Read(expirations[:]); err != nil {
			if ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded) {
				return nil
			}
			return fmt.Errorf("waiting for the timer: %w", err)
		}
		if !l.put(ctx, l.tick) {
			return nil
		}
	}
}

func (c *clock) interrupt() { _ = c.timer.SetReadDeadline(time.Unix(1, 0)) }

func (c *clock) close() { _ = c.timer.Close() }

// control calls f with the descriptor of an open file.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
