// Package nat measures what passes through labnet's rules beside what passes through a plain iptables masquerade: the throughput of a TCP
// connection by iperf3, how many connections can be opened in a second, and what a packet of each kind takes on its way through the router.
// `make bench-nat` runs it.
package main
