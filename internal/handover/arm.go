package handover

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// armed reports whether a process stands by to go back.
func (h *Host) armed() (bool, error) {
	unlock, err := h.lock(armedFile, 0)
	if errors.Is(err, errLocked) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	unlock()
	return false, nil
}

// watchEvery is how often a Watch looks whether the change is confirmed.
const watchEvery = 250 * time.Millisecond

// Watch stands by to go back from the change of a token at its time, and calls ready when it does. It belongs into a process of its own,
// which nothing ends that the change may end. It returns when the change is confirmed, or taken back, by itself or by others. The end of ctx
// takes it back at once.
// A systemd timer can do the same where there is one: it calls Back.
func (h *Host) Watch(ctx context.Context, token string, ready func() error) error {
	unlock, err := h.lock(armedFile, time.Second)
	if errors.Is(err, errLocked) {
		return errors.New("another process stands by already")
	}
	if err != nil {
		return err
	}
	defer unlock()
	s, err := h.State()
	if err != nil {
		return err
	}
	if s.Phase != Prepared || s.Token != token {
		return errors.New("no change was prepared under this token")
	}
	if err := ready(); err != nil {
		return fmt.Errorf("saying that the way back is open: %w", err)
	}
	for {
		select {
		case <-ctx.Done():
			// Nobody may be left without a way back.
			return h.goBack(context.WithoutCancel(ctx), s, "the process that stood by was ended")
		case <-time.After(watchEvery):
		}
		// A disk that fails doesn't take the way back away: what was read last counts.
		if now, err := h.State(); err == nil {
			if now.Token != token || !now.Phase.Armed() {
				return nil
			}
			s = now
		}
		if s.Left() == 0 {
			return h.goBack(ctx, s, "it was not confirmed in time")
		}
	}
}

// goBack is Back with a state that is known.
func (h *Host) goBack(ctx context.Context, s State, reason string) error {
	unlock, err := h.lock(lockFile, lockPatience)
	if err == nil {
		defer unlock()
		// Whoever held the lock may have confirmed, or gone back.
		if now, err := h.State(); err == nil {
			if now.Token != s.Token || !now.Phase.Armed() {
				return nil
			}
			s = now
		}
	}
	h.exclusively(ctx, func() { err = h.back(s, reason) })
	return err
}
