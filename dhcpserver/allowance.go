package dhcpserver

import "time"

// allowance is how often something may happen a second; a second's worth may be saved up. What is refused counts too, up to
// a debt: with one, nothing is allowed until there is less of it.
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
	a.used = min(a.used+1, float64(a.perSecond+a.debt))
	return ok
}
