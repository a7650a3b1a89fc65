// Package leases knows which client has which address: pools, reservations, allocation, names, and the durable
// store behind them. The table in RAM is authoritative; a change is durable before anybody is told of it.
package leases
