package netcfg

import (
	"fmt"
	"time"
)

// alarm is a fight with another manager, from which repairs rest.
type alarm struct {
	until time.Time
	by    string
}

// Alarms are what Run has given up for a while, for a person to look at. They may be asked for at any time.
func (h *Host) Alarms() []Problem {
	a := h.resting(time.Now())
	if a == nil {
		return nil
	}
	return []Problem{{
		Summary: fmt.Sprintf("someone keeps changing what labnet set up, nftables last by %s: repairs rest until %s", a.by, a.until.Format(time.TimeOnly)),
		Remedy:  "find out who it is, and let only one of both manage it; the log has what was changed, and `labnet plan` what is to be repaired",
	}}
}

// resting is the fight from which repairs rest now, nil: none.
func (h *Host) resting(now time.Time) *alarm {
	if a := h.alarm.Load(); a != nil && !now.After(a.until) {
		return a
	}
	return nil
}
