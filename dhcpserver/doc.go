// Package dhcpserver is DHCPv4 on the wire (RFC 2131): sockets, codec rules and decisions. It asks leases for
// addresses, and sends no DHCPACK before the lease is durable.
package dhcpserver
