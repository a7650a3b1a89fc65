// Package generator is a crowd of DHCP clients on one interface, by the thousand from one thread: it asks a server for
// leases in a closed loop, measures how long the answers take, and checks that no address is given twice.
package generator
