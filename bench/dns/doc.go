// Package dns measures labnet's DNS beside that of dnsmasq, Unbound, Knot Resolver, dnsdist, BIND and CoreDNS, and beside an echo that knows
// nothing: the same machine, the same run, by turns, in network namespaces of its own. It needs root; `make bench-dns` runs it.
package main
