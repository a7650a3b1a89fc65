package leases

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/google/go-cmp/cmp"
)

// settle makes a commit, which may fail, and compares what came of the changes with what is stored and published.
func (w *walk) settle() error {
	w.committer.round(context.Background(), w.now())
	if err := w.consistent(); err != nil {
		return err
	}
	stored, _, err := w.store.Load(context.Background())
	if err != nil {
		return err
	}
	if err := soundStore(stored); err != nil {
		return fmt.Errorf("the store contradicts itself: %w", err)
	}
	at := make(map[netip.Addr]Lease)
	for _, l := range stored {
		at[l.Addr] = l
	}
	for _, one := range w.submitted {
		l := one.Lease
		switch {
		case errors.Is(*one.verdict, errNotAnswered):
			return errors.New("a submitted change was not answered")
		case *one.verdict == nil && one.aheads == len(w.aheads) && !one.future && at[l.Addr].LastSeen.Before(l.LastSeen):
			return fmt.Errorf("acknowledged %+v, stored %+v", l, at[l.Addr])
		case len(w.aheads) == 1 && l.State == Bound && one.pending.outcome == takenBack && at[l.Addr] == l && !slices.ContainsFunc(w.all, func(ch Change) bool { return ch.Lease == l && ch.pending.outcome == done }):
			return fmt.Errorf("taken back, and stored all the same: %+v", l)
		}
	}
	w.submitted = nil
	if w.StoreErr() != nil {
		return nil
	}
	w.unsaid = false
	if len(w.late) > 0 {
		return nil
	}
	if diff := cmp.Diff(w.comparable(w.Leases("")), w.comparable(stored), sameAddr); diff != "" {
		return fmt.Errorf("published and stored differ (-published +stored):\n%s", diff)
	}
	return nil
}

// sameAs compares what a table has loaded with what was published before.
func (w *walk) sameAs(before []Lease) error {
	if diff := cmp.Diff(w.comparable(before), w.comparable(w.Leases("")), sameAddr); diff != "" {
		return fmt.Errorf("after a restart (-before +after):\n%s", diff)
	}
	return nil
}

// comparable is leases as far as they must agree: one that a change under way keeps from ending has ended, and when those ended that
// have is by the clock of then.
func (w *walk) comparable(leases []Lease) []Lease {
	out := append([]Lease{}, leases...)
	now := fromUnix(floorUnix(w.now()))
	for i := range out {
		l := &out[i]
		if blocks := l.State == Bound || l.State == Declined; blocks && !l.Expiry.IsZero() && !l.Expiry.After(now) {
			l.State, l.Name = Expired, ""
		}
		if l.State == Released || l.State == Expired {
			l.Start, l.Expiry, l.LastSeen = epoch, epoch, epoch
		}
	}
	return out
}

// soundStore reports two clients' claims to one name, or two addresses of one client, at one time.
func soundStore(stored []Lease) error {
	clients, names := make(map[ClientID]Lease), make(map[string]Lease)
	for _, l := range stored {
		if l.State != Bound {
			continue
		}
		if other, twice := clients[l.ID]; twice {
			return fmt.Errorf("%v has %v and %v", l.ID, l.Addr, other.Addr)
		}
		clients[l.ID] = l
		if other, twice := names[l.Name]; twice && l.Name != "" {
			return fmt.Errorf("%s names %v and %v", l.Name, l.Addr, other.Addr)
		}
		names[l.Name] = l
	}
	return nil
}
