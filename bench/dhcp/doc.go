// Package dhcp measures labnet's DHCPv4 beside Kea's and dnsmasq's: the same machine, the same run, one after the other in
// turn, in network namespaces of its own. It needs root; `make bench-dhcp` runs it.
package main
