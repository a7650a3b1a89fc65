package dhcpclient

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
)

// Config is what a client is to do.
type Config struct {
	// Interface gets the address: Ethernet, e.g. a bridge. It must exist when the client is opened; if it goes away later, the
	// client waits for one of that name.
	Interface string
	// Uplink is the interface whose carrier says whether the LAN is there; "" is Interface. A bridge has carrier as long as any of
	// its ports has, guests' ones too, so for a bridge it is the port towards the LAN.
	Uplink string
	// ClientID is the client identifier (option 61) with its type in the first byte, 2 to 255 bytes; none is sent where it is
	// empty, and servers know the client by its MAC.
	ClientID []byte
	// Hostname is what the client calls itself (option 12), "" for nothing.
	Hostname string
	// Former is the address that is asked for first, as after a reboot (RFC 2131 section 3.2); without one a new client begins.
	Former netip.Addr
	// Held says that Former is on the interface already, and used: it isn't checked for conflicts before the client reports it. The
	// first lease may be for another address all the same; then Former is to be taken off.
	Held bool
	// NeverYield keeps the address also when another machine goes on using it (RFC 5227 section 2.4 (c)): the client defends it at
	// most once in 10 s, and says so. Otherwise the second conflict within 10 s ends the lease. Where guests are on the link, two
	// ARP packets of any of them would cut the host off without it.
	NeverYield bool
	// Log gets lines for people; nil for none.
	Log *slog.Logger
}

// maxHostname is the longest name that option 12 takes here: a DNS name.
const maxHostname = 253

func (c *Config) check() error {
	switch {
	case c.Interface == "":
		return errors.New("a DHCP client needs an interface")
	case len(c.ClientID) == 1 || len(c.ClientID) > 255:
		return fmt.Errorf("a client identifier of %d bytes: 2 to 255 can be sent", len(c.ClientID))
	case len(c.Hostname) > maxHostname:
		return fmt.Errorf("a host name of %d bytes: %d can be sent", len(c.Hostname), maxHostname)
	case c.Former.IsValid() && !c.Former.Is4():
		return fmt.Errorf("the former address %v isn't IPv4", c.Former)
	case c.Held && !c.Former.IsValid():
		return errors.New("an address can be held only if it is named")
	}
	return nil
}
