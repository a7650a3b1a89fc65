package dhcpserver

import "labnet/leases"

// Reason says why a message was answered as it was, or why it wasn't. It is the same word in logs and in Stats; the
// set is closed.
type Reason string

// Replies.
const (
	ReasonOfferReservation Reason = "offer_reservation" // the reserved address
	ReasonOfferBinding     Reason = "offer_binding"     // the address that the client holds
	ReasonOfferHold        Reason = "offer_hold"        // what it was offered a moment ago
	ReasonOfferFormer      Reason = "offer_former"      // its last address
	ReasonOfferRequested   Reason = "offer_requested"   // what it asked for in option 50
	ReasonOfferDerived     Reason = "offer_derived"     // derived from its hardware address
	ReasonOfferOldest      Reason = "offer_oldest"      // free for the longest
	ReasonOfferTakenBack   Reason = "offer_taken_back"  // taken from a hold that was never requested

	ReasonAckSelecting  Reason = "ack_selecting"   // our offer was accepted
	ReasonAckInitReboot Reason = "ack_init_reboot" // the client restarted with its binding
	ReasonAckRenew      Reason = "ack_renew"
	ReasonAckRebind     Reason = "ack_rebind"
	ReasonAckAdopted    Reason = "ack_adopted" // no record of it, but the address is free and we are authoritative
	ReasonAckDurable    Reason = "ack_durable" // the commit failed; acknowledged for what is still on disk
	ReasonAckInform     Reason = "ack_inform"
	ReasonAckRapid      Reason = "ack_rapid_commit" // to a DISCOVER at once (RFC 4039)

	ReasonNakTaken        Reason = "nak_taken"         // another client has the address
	ReasonNakReserved     Reason = "nak_reserved"      // the address is reserved for another client
	ReasonNakMoved        Reason = "nak_moved"         // the client has a reservation at another address
	ReasonNakOutOfPool    Reason = "nak_out_of_pool"   // on the subnet, but not to be given out
	ReasonNakQuarantined  Reason = "nak_quarantined"   // declined, and resting
	ReasonNakOffLink      Reason = "nak_off_link"      // not of this subnet
	ReasonNakOtherBinding Reason = "nak_other_binding" // the client holds another address
	ReasonNakUnknown      Reason = "nak_unknown"       // no record, and not authoritative
	ReasonNakNoAddress    Reason = "nak_no_address"    // the request names no address
	ReasonNakDenied       Reason = "nak_denied"        // unknown clients are not served
	ReasonNakInUse        Reason = "nak_in_use"        // another machine answers ARP for the address
)

// Messages that change a lease and are not answered.
const (
	ReasonDeclined       Reason = "declined"
	ReasonReleased       Reason = "released"
	ReasonChoseAnother   Reason = "chose_another_server"
	ReasonIgnoredDecline Reason = "ignored_decline" // not our server identifier, or not the client's address
	ReasonIgnoredRelease Reason = "ignored_release"
)

// Messages that are decided a moment later, and counted again then.
const ReasonProbing Reason = "probing" // ARP is asked first who uses the address

// Silence.
const (
	ReasonExhausted      Reason = "exhausted"            // no free address
	ReasonUnknownNetwork Reason = "unknown_network"      // the lease table has no such network
	ReasonDenied         Reason = "denied"               // unknown clients are not served
	ReasonNotOurs        Reason = "not_ours"             // no record, and not authoritative
	ReasonForeignRelay   Reason = "foreign_relay"        // giaddr is none of the relays or, if none is named, of our subnet's hosts
	ReasonForeignSubnet  Reason = "foreign_subnet"       // a relay asks for another subnet
	ReasonDiscoverServer Reason = "discover_with_server" // a DISCOVER with a server identifier
	ReasonNoIdentity     Reason = "no_identity"          // neither client identifier nor hardware address
	ReasonInformNowhere  Reason = "inform_nowhere"       // an INFORM whose answer has no address on this link
	ReasonTooShort       Reason = "too_short"
	ReasonTooLong        Reason = "too_long"
	ReasonNotRequest     Reason = "not_a_request" // op is not BOOTREQUEST
	ReasonBadCookie      Reason = "bad_cookie"
	ReasonBadHeader      Reason = "bad_header"     // hlen above 16
	ReasonNoType         Reason = "no_type"        // no usable option 53: BOOTP
	ReasonServerMessage  Reason = "server_message" // OFFER, ACK or NAK
	ReasonUnknownType    Reason = "unknown_type"
	ReasonShed           Reason = "shed"          // a newcomer's message dropped because we are overloaded
	ReasonOverload       Reason = "overload"      // a REQUEST dropped because too many wait for the disk
	ReasonCommitFailed   Reason = "commit_failed" // the lease did not become durable
	ReasonTableError     Reason = "table_error"   // an error of the lease table that has no reason of its own
	ReasonPanic          Reason = "panic"         // a bug, survived
)

// Things that happen beside the decision; they are counted too.
const (
	ReasonMalformedServed Reason = "malformed_served"  // bad or missing end of the options, served all the same
	ReasonOptionsDropped  Reason = "options_dropped"   // a reply was too small for all options
	ReasonSendFailed      Reason = "send_failed"       // the kernel refused a reply
	ReasonQueueOverflow   Reason = "queue_overflow"    // datagrams lost in the socket's queue
	ReasonReceiveFailed   Reason = "receive_failed"    // an error of the receiving socket
	ReasonCloneDetected   Reason = "clone_detected"    // a client identifier that another active client has
	ReasonLinkReplaced    Reason = "link_replaced"     // the interface was made anew
	ReasonAbandoned       Reason = "abandoned_on_stop" // an ACK that was not durable in time for the stop
	ReasonConflict        Reason = "address_conflict"  // another machine uses an address that was to be given to a client
	ReasonConflictIgnored Reason = "conflict_ignored"  // another machine does, but too many do: the address is given all the same
	ReasonProbeSkipped    Reason = "probe_skipped"     // decided without waiting for ARP: too many wait
	ReasonRogueServer     Reason = "rogue_server"      // another DHCP server was heard, or a client named it
)

// reasons is the closed set, for the counters.
var reasons = [...]Reason{
	ReasonOfferReservation, ReasonOfferBinding, ReasonOfferHold, ReasonOfferFormer, ReasonOfferRequested,
	ReasonOfferDerived, ReasonOfferOldest, ReasonOfferTakenBack,
	ReasonAckSelecting, ReasonAckInitReboot, ReasonAckRenew, ReasonAckRebind, ReasonAckAdopted, ReasonAckDurable, ReasonAckInform,
	ReasonAckRapid,
	ReasonNakTaken, ReasonNakReserved, ReasonNakMoved, ReasonNakOutOfPool, ReasonNakQuarantined, ReasonNakOffLink,
	ReasonNakOtherBinding, ReasonNakUnknown, ReasonNakNoAddress, ReasonNakDenied, ReasonNakInUse,
	ReasonDeclined, ReasonReleased, ReasonChoseAnother, ReasonIgnoredDecline, ReasonIgnoredRelease, ReasonProbing,
	ReasonExhausted, ReasonUnknownNetwork, ReasonDenied, ReasonNotOurs, ReasonForeignRelay, ReasonForeignSubnet, ReasonDiscoverServer,
	ReasonNoIdentity, ReasonInformNowhere, ReasonTooShort, ReasonTooLong, ReasonNotRequest, ReasonBadCookie, ReasonBadHeader,
	ReasonNoType, ReasonServerMessage, ReasonUnknownType, ReasonShed, ReasonOverload, ReasonCommitFailed, ReasonTableError, ReasonPanic,
	ReasonMalformedServed, ReasonOptionsDropped, ReasonSendFailed, ReasonQueueOverflow, ReasonReceiveFailed,
	ReasonCloneDetected, ReasonLinkReplaced, ReasonAbandoned,
	ReasonConflict, ReasonConflictIgnored, ReasonProbeSkipped, ReasonRogueServer,
}

// offerReason is the reason of an OFFER whose address was chosen as c says.
func offerReason(c leases.Choice) Reason {
	switch c {
	case leases.ChoseReservation:
		return ReasonOfferReservation
	case leases.ChoseBinding:
		return ReasonOfferBinding
	case leases.ChoseHold:
		return ReasonOfferHold
	case leases.ChoseFormer:
		return ReasonOfferFormer
	case leases.ChoseRequested:
		return ReasonOfferRequested
	case leases.ChoseDerived:
		return ReasonOfferDerived
	case leases.ChoseTakenBack:
		return ReasonOfferTakenBack
	default:
		return ReasonOfferOldest
	}
}

// nakText is what a DHCPNAK tells the person who reads the client's log (RFC 2132 section 9.9).
func nakText(r Reason) string {
	switch r {
	case ReasonNakTaken:
		return "another client has this address"
	case ReasonNakReserved:
		return "this address is reserved for another client"
	case ReasonNakMoved:
		return "your reservation is another address"
	case ReasonNakOutOfPool:
		return "this address is not given out"
	case ReasonNakQuarantined:
		return "this address was found in use"
	case ReasonNakInUse:
		return "another machine uses this address"
	case ReasonNakOffLink:
		return "this address is not on this network"
	case ReasonNakOtherBinding:
		return "your lease is another address"
	case ReasonNakNoAddress:
		return "no address requested"
	case ReasonNakDenied:
		return "unknown clients are not served"
	default:
		return "no such lease"
	}
}
