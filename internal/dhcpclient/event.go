package dhcpclient

// Kind is what an Event tells.
type Kind int

const (
	// Bound: there is an address where there was none. It is to be put on the interface, with its routes; when the handler has
	// returned, the client announces it by ARP.
	Bound Kind = iota + 1
	// Renewed: the lease is in force for longer, and otherwise as it was.
	Renewed
	// Changed: the lease is in force, and something of it is other than it was; the address may be. It replaces the former one.
	Changed
	// Lost: the lease has ended, and the client begins anew: the address must be used no more. Where a server refuses an address
	// that was held from before, the event has nothing but that address.
	Lost
	// Unanswered: no server has answered for some seconds. It is told once, until a server answers; what is on the interface stays there.
	Unanswered
)

func (k Kind) String() string {
	switch k {
	case Bound:
		return "bound"
	case Renewed:
		return "renewed"
	case Changed:
		return "changed"
	case Lost:
		return "lost"
	case Unanswered:
		return "unanswered"
	}
	return "unknown"
}

// Event is something that happened to the lease. Events are values; nobody changes what they hold.
type Event struct {
	Kind Kind
	// Lease is the lease in force; with Lost the one that has ended; with Unanswered the one that is still in force, if any.
	Lease Lease
	// Reason says why, for people: of Lost and Unanswered.
	Reason string
}
