package main

import (
	"fmt"
	"io"

	"labnet/internal/control"
)

// uplinkOf is what leads out of a network.
func uplinkOf(n control.Network) string {
	uplink := n.Uplink
	switch uplink {
	case "":
		return "none, the network is isolated"
	case "auto":
		uplink = "the default route's"
	}
	if n.Masquerade {
		return uplink + ", masqueraded"
	}
	return uplink + ", routed without masquerade"
}

// writeReturnRoutes says what the LAN's router needs for networks without masquerade.
func writeReturnRoutes(w io.Writer, routes []control.ReturnRoute) {
	for _, r := range routes {
		fmt.Fprintf(w, "note: network %q isn't masqueraded: the LAN's router needs a route to it\n  %s\n", r.Network, r.Command)
	}
}
