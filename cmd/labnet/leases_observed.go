package main

import "labnet/internal/control"

// observed is the state of a guest that is seen on a bridged network: no lease of labnet's.
const observed = "observed"

// shownName is a lease's name; of one that is observed, what the guest calls itself, which no DNS server here says.
func shownName(l control.Lease) string {
	if l.State == observed {
		return printable(l.Hostname)
	}
	return l.Name
}

// notObserved is the filter for leases of labnet's own.
func notObserved() control.LeaseFilter {
	f, _ := control.ParseLeaseFilter("state!=" + observed) // it is one
	return f
}
