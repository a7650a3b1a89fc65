package daemon

import (
	"context"
	"fmt"
	"time"
)

// mending is what keeping a bridge that has taken over remembers from one look to the next.
type mending struct {
	done    []time.Time // of the last minute
	resting time.Time   // nothing is mended until then
	retry   time.Time   // after a failure
	said    string      // the last obstacle, so that it is logged once
}

const (
	// mendsAMinute is how often is mended what others have changed, before it counts as a fight; as for routed networks.
	mendsAMinute = 5
	// mendRest is how long such a fight is left alone.
	mendRest = time.Minute
)

// may reports whether the next mending would still be none too many.
func (m *mending) may(now time.Time) bool {
	for len(m.done) > 0 && now.Sub(m.done[0]) >= mendRest {
		m.done = m.done[1:]
	}
	if now.Before(m.resting) {
		return false
	}
	if len(m.done) >= mendsAMinute {
		m.resting = now.Add(mendRest)
		return false
	}
	return true
}

// mend repairs a bridge that has taken over. Its last repair is followed by a rest, whether or not somebody would undo it once more.
func (d *daemon) mend(ctx context.Context, m *mending) {
	if !m.may(time.Now()) {
		d.setObstacle(fmt.Errorf("someone keeps changing the bridge that has taken over: repairs rest until %s", m.resting.Format(time.TimeOnly)))
		return
	}
	if time.Now().Before(m.retry) {
		return
	}
	changes, err := d.hand.Mend(ctx)
	if err != nil {
		err = fmt.Errorf("the bridge that has taken over isn't as it should be: %w", err)
	}
	d.setObstacle(err)
	switch {
	case err == nil:
		m.said = ""
	case ctx.Err() == nil && err.Error() != m.said:
		m.said = err.Error()
		d.log.Error("can't keep the bridge in order", "err", err)
	}
	if len(changes) == 0 {
		return
	}
	d.mended.Add(uint64(len(changes)))
	for _, change := range changes {
		d.log.Warn("repaired", "change", change)
	}
	if m.done = append(m.done, time.Now()); len(m.done) == mendsAMinute {
		d.log.Error("someone keeps changing the bridge that has taken over: repairs rest", "rest", mendRest)
	}
	if err != nil {
		m.retry = time.Now().Add(retryHandover)
	}
}
