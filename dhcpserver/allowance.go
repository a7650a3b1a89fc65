package dhcpserver

import "time"

// allowance is how often something may happen a second; a second's worth may be saved up. With a debt, what is refused counts
// too, up to that: then nothing is allowed until there is less of it. Without, as much as that is allowed however much is refused.
type allowance struct {
	perSecond int
	debt      int
	used      float64 // of what may be saved up
	last      time.Duration
}

func (a *allowance) take(at time.Duration) bool {
	a.used = max(0, a.used-max(0, at-a.last).Seconds()*float64(a.perSecond))
	a.last = max(at, a.last)
	ok := a.used+1 <= float64(a.perSecond)
	if ok || a.debt > 0 {
		a.used = min(a.used+1, float64(a.perSecond+a.debt))
	}
	return ok
}
