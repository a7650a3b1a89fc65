// Package blocklist is sets of domain names that shall not be answered, read from the formats that such lists come in: hosts files, lists of domains,
// the rules of ad blockers that name a domain, and dnsmasq's address=/…/.
//
// A set is one table and its names, a few pieces of memory without pointers in them, so that a million names cost little and the collector nothing.
package blocklist
