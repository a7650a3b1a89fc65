// Package migrate reads and writes the lease files of other DHCP servers, and reads labnet's own. It knows nothing of networks and
// of what becomes of a lease: it turns text into leases and leases into text.
package migrate
