package dhcpserver

import "sync/atomic"

// MessageCount is how many messages of a type have come or gone.
type MessageCount struct {
	Sent  bool
	Type  string // as in RFC 2131, in upper case, without "DHCP"; "other" for what came and is no client's message
	Count uint64
}

// messageTypes is one more than the highest type that is counted by itself; 0 counts the others.
const messageTypes = int(typeInform) + 1

// traffic counts messages by type. One goroutine writes each, so that counting doesn't take a line of memory from another processor.
type traffic struct {
	_ [64]byte // other processors' lines end here
	n [messageTypes]atomic.Uint64
	_ [64]byte
}

// count counts one message; nil counts nothing.
func (t *traffic) count(kind messageType) {
	if t == nil {
		return
	}
	if int(kind) >= messageTypes {
		kind = 0
	}
	t.n[kind].Add(1)
}

// traffics are those of a server, by who writes them.
type traffics struct {
	received, direct, replayed, acknowledged traffic
}

// Messages returns how many messages came and how many replies the kernel took since Listen, for every type that there can be. A message
// that waits for ARP came once. It may be called by any goroutine.
func (s *Server) Messages() []MessageCount {
	out := []MessageCount{{Type: "other", Count: s.traffic.received.n[0].Load()}}
	for _, kind := range []messageType{typeDiscover, typeRequest, typeDecline, typeRelease, typeInform} {
		out = append(out, MessageCount{Type: kind.String(), Count: s.traffic.received.n[kind].Load()})
	}
	for _, kind := range []messageType{typeOffer, typeAck, typeNak} {
		sent := MessageCount{Sent: true, Type: kind.String()}
		for _, t := range []*traffic{&s.traffic.direct, &s.traffic.replayed, &s.traffic.acknowledged} {
			sent.Count += t.n[kind].Load()
		}
		out = append(out, sent)
	}
	return out
}
