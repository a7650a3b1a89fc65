// Package netcfg brings the kernel's network to a desired state and back: it observes, plans, applies, watches and
// removes links, addresses, sysctls and nftables tables. Nothing foreign is ever deleted.
package netcfg
