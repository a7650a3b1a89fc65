package leases

import (
	"sync/atomic"
	"time"
)

// pace keeps a goroutine that has much to compute from getting into the way of those that serve: on a machine's only processor
// it would keep them waiting for 10 ms at a time. It works for a while and pauses; the longer others keep it waiting after
// a pause, the longer it works, so that it gets its share also while they never rest.
type pace struct {
	hurry *atomic.Int32 // how many wait for it: no pauses then
	until time.Time     // of the work until the next pause
	steps int
}

const (
	paceWork  = 150 * time.Microsecond
	pacePause = 50 * time.Microsecond
	paceShare = 0.7 // of the time of a pause
	paceSteps = 4   // between two looks at the clock
)

func newPace(hurry *atomic.Int32) *pace {
	return &pace{hurry: hurry, until: time.Now().Add(paceWork)}
}

// step is called after each small piece of work. A nil pace never pauses.
func (p *pace) step() {
	if p == nil {
		return
	}
	if p.steps++; p.steps%paceSteps != 0 || p.hurry.Load() > 0 {
		return
	}
	now := time.Now()
	if now.Before(p.until) {
		return
	}
	time.Sleep(pacePause)
	resumed := time.Now()
	p.until = resumed.Add(max(paceWork, time.Duration(paceShare*float64(resumed.Sub(now)))))
}
