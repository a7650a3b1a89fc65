package leases

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// WatchClock tells the table at once when the time of day is set, until ctx ends. Without it that shows with the next message, or within half a
// minute; what happens until then, such as the end of the process, leaves leases stored by the old time. It is for whoever calls Run, beside it. The
// error is that of a kernel which can't tell.
func (t *Table) WatchClock(ctx context.Context) error {
	return watchClock(ctx, t.poke)
}

// watchClock reads a timer for a day that never comes: the read fails with ECANCELED each time that the clock is set (timerfd_create(2)).
func watchClock(ctx context.Context, told func()) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watching the clock: %w", err)
	}
	timer := os.NewFile(uintptr(fd), "clock")
	defer timer.Close()
	defer context.AfterFunc(ctx, func() { _ = timer.SetReadDeadline(time.Unix(1, 0)) })()
	var expirations [8]byte
	for {
		if err := armForNever(timer); err != nil {
			return fmt.Errorf("watching the clock: %w", err)
		}
		switch _, err := timer.Read(expirations[:]); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, unix.ECANCELED):
			told()
		case err != nil:
			return fmt.Errorf("watching the clock: %w", err)
		}
	}
}

func armForNever(timer *os.File) error {
	raw, err := timer.SyscallConn()
	if err != nil {
		return err
	}
	never := unix.ItimerSpec{Value: unix.Timespec{Sec: forEver >> 2}}
	if controlErr := raw.Control(func(fd uintptr) {
		err = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &never, nil)
	}); controlErr != nil {
		return controlErr
	}
	return err
}
