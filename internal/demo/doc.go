// Package demo tells labnet's story in namespaces of its own: a LAN, a router and two guests, without touching the host's network.
package demo
