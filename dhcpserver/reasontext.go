package dhcpserver

// reasonTexts says each Reason in a few words, about the client ("it"), for trace and explain. Everybody who shows a reason to
// people takes the words from here.
var reasonTexts = map[Reason]string{
	ReasonOfferReservation: "the address reserved for it",
	ReasonOfferBinding:     "the address that it holds",
	ReasonOfferHold:        "what it was offered a moment ago",
	ReasonOfferFormer:      "its last address, still free",
	ReasonOfferRequested:   "the address that it asks for",
	ReasonOfferDerived:     "an address derived from its MAC",
	ReasonOfferOldest:      "the address free for the longest",
	ReasonOfferTakenBack:   "all are offered: the oldest offer",

	ReasonAckSelecting:  "it took our offer",
	ReasonAckInitReboot: "restarted with the address it holds",
	ReasonAckRenew:      "renews its lease",
	ReasonAckRebind:     "renews its lease by broadcast",
	ReasonAckAdopted:    "no record of it, but the address is free",
	ReasonAckDurable:    "store failed: what is durable counts",
	ReasonAckInform:     "wants options only",

	ReasonNakTaken:        "another client has the address",
	ReasonNakReserved:     "the address is reserved for another",
	ReasonNakMoved:        "its reservation is another address",
	ReasonNakOutOfPool:    "the address is not given out",
	ReasonNakQuarantined:  "the address was declined and rests",
	ReasonNakOffLink:      "the address is not of this network",
	ReasonNakOtherBinding: "its lease is another address",
	ReasonNakUnknown:      "no record of it; not authoritative",
	ReasonNakNoAddress:    "it asks for no address",
	ReasonNakDenied:       "it is no host; unknown_clients = deny",

	ReasonDeclined:       "found in use by another: it rests",
	ReasonReleased:       "given back; the address is free",
	ReasonChoseAnother:   "it took another server's offer",
	ReasonIgnoredDecline: "not its address, or not our server id",
	ReasonIgnoredRelease: "not its address, or not our server id",

	ReasonExhausted:      "no address is free",
	ReasonUnknownNetwork: "the network is not configured",
	ReasonDenied:         "it is no host; unknown_clients = deny",
	ReasonNotOurs:        "no record of it; not authoritative",
	ReasonForeignRelay:   "the relay is not on this network",
	ReasonDiscoverServer: "a DISCOVER must name no server",
	ReasonNoIdentity:     "neither client identifier nor MAC",
	ReasonInformNowhere:  "its address is not on this network",
	ReasonTooShort:       "too short for a DHCP message",
	ReasonTooLong:        "too long for a DHCP message",
	ReasonNotRequest:     "not a client's message",
	ReasonBadCookie:      "no DHCP message: the cookie is wrong",
	ReasonBadHeader:      "the hardware address is too long",
	ReasonNoType:         "BOOTP, or no message type",
	ReasonServerMessage:  "a server's message",
	ReasonUnknownType:    "unknown message type",
	ReasonShed:           "overloaded: newcomers wait",
	ReasonOverload:       "overloaded: the disk is too slow",
	ReasonCommitFailed:   "the lease could not be made durable",
	ReasonTableError:     "the lease table failed",
	ReasonPanic:          "a bug in labnet, survived; see the log",

	ReasonMalformedServed: "served, though its options end badly",
	ReasonOptionsDropped:  "not all options fit into the reply",
	ReasonSendFailed:      "the reply could not be sent",
	ReasonQueueOverflow:   "lost: more arrive than can be served",
	ReasonReceiveFailed:   "receiving failed",
	ReasonCloneDetected:   "two machines with one client identifier",
	ReasonLinkReplaced:    "the interface was made anew",
	ReasonAbandoned:       "not durable in time for the stop",
}

// Text says r in a few words of English, about the client; "" for a word that is no Reason.
func (r Reason) Text() string { return reasonTexts[r] }
