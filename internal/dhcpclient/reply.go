package dhcpclient

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Offsets in a DHCP message (RFC 2131 section 2).
const (
	offsetXID    = 4
	offsetCHAddr = 28
	offsetSname  = 44
	offsetFile   = 108
	offsetCookie = 236
)

// reply is a message of a server's for this client: an OFFER, an ACK or a NAK. Its lease has been checked; a NAK has none.
type reply struct {
	kind   dhcpv4.MessageType
	xid    dhcpv4.TransactionID
	server netip.Addr // its identifier
	lease  Lease
	hop    mac    // the machine on the link that it came from: the server, or the router to it
	text   string // what a NAK says (option 56)
}

// errNotForUs is what is passed over without a word: others' messages.
var errNotForUs = errors.New("not for this client")

// readReply reads a message. The error says what is wrong with it, or is errNotForUs.
func readReply(payload []byte, own mac, clientID []byte) (reply, error) {
	if len(payload) < offsetCookie || payload[0] != byte(dhcpv4.OpcodeBootReply) || mac(payload[offsetCHAddr:]) != own {
		return reply{}, errNotForUs
	}
	message, err := dhcpv4.FromBytes(payload)
	if err != nil {
		return reply{}, err
	}
	if err := addOverload(message.Options, payload); err != nil {
		return reply{}, err
	}
	if id := message.Options.Get(dhcpv4.OptionClientIdentifier); id != nil && !bytes.Equal(id, clientID) {
		return reply{}, errNotForUs // RFC 6842 section 3
	}
	r := reply{kind: message.MessageType(), xid: message.TransactionID}
	switch r.kind {
	case dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak:
	default:
		return reply{}, errNotForUs
	}
	server, ok := oneAddr(message.Options, dhcpv4.OptionServerIdentifier)
	if !ok || !isMachine(server) {
		return reply{}, errors.New("it names no server (option 54)")
	}
	r.server = server
	if r.kind == dhcpv4.MessageTypeNak {
		r.text = string(message.Options.Get(dhcpv4.OptionMessage))
		return r, nil
	}
	addr, _ := netip.AddrFromSlice(message.YourIPAddr)
	if r.lease, err = readLease(addr, server, message.Options); err != nil {
		return reply{}, err
	}
	return r, nil
}

// addOverload adds the options in the fields for the boot file's and the server's name (RFC 2132 section 9.3). Split options are
// joined in the order of RFC 3396 section 5.
func addOverload(options dhcpv4.Options, payload []byte) error {
	overload := options.Get(dhcpv4.OptionOptionOverload)
	if overload == nil {
		return nil
	}
	if len(overload) != 1 {
		return fmt.Errorf("option 52 of %d bytes", len(overload))
	}
	const file, sname = 1, 2
	if overload[0]&file != 0 {
		if err := options.FromBytes(payload[offsetFile:offsetCookie]); err != nil {
			return fmt.Errorf("options in the field for the boot file: %w", err)
		}
	}
	if overload[0]&sname != 0 {
		if err := options.FromBytes(payload[offsetSname:offsetFile]); err != nil {
			return fmt.Errorf("options in the field for the server's name: %w", err)
		}
	}
	return nil
}

// oneAddr is an option that holds one address.
func oneAddr(options dhcpv4.Options, code dhcpv4.OptionCode) (netip.Addr, bool) {
	b := options.Get(code)
	if len(b) != 4 {
		return netip.Addr{}, false
	}
	return netip.AddrFrom4([4]byte(b)), true
}

// isMachine says whether an address can be one machine's on a LAN.
func isMachine(addr netip.Addr) bool {
	const reserved = 240 // RFC 1112 section 4
	return addr.Is4() && addr.As4()[0] != 0 && addr.As4()[0] < reserved && !addr.IsMulticast() && !addr.IsLoopback()
}
