// Package observe sees which machines are behind the ports of a bridge whose addresses others give out, by listening: to their ARP, and to
// their DHCP with the LAN's servers. It sends nothing and decides nothing.
package observe
