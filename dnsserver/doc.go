// Package dnsserver is DNS on the wire: listeners, local zones made of leases, hosts and records, a cache, and
// forwarding to upstreams.
//
// A query is decided in a fixed order: may this client ask, local names, cache, upstream (decide.go). The goroutine that
// read it answers the first three itself; only a miss leaves it, to a flight that every client with the same question
// shares (flight.go), so that a stuck upstream never holds up a local or a cached answer.
package dnsserver
