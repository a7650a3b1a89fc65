// Package dnsmasqconf reads the configuration of dnsmasq 2.90, files and command lines, and writes a labnet configuration that
// serves the same, with a finding for each directive that says how near it comes. It looks at no network and changes nothing.
package dnsmasqconf
