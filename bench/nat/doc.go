// Package nat measures what passes through labnet's rules beside what passes through a plain iptables masquerade: the throughput of a TCP
// connection by iperf3, and how many connections can be opened in a second. `make bench-nat` runs it.
package main
