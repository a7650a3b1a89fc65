// Package dnsserver is DNS on the wire: listeners, local zones made of leases, hosts and records, a cache, and
// forwarding to upstreams.
package dnsserver
