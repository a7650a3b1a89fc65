package generator

import "fmt"

// hear deals with a packet.
func (c *Crowd) hear(packet []byte) error {
	data, ok := c.way.payload(packet)
	if !ok {
		if addr, asked := c.way.question(packet); asked {
			return c.arp(packet, addr)
		}
		return nil
	}
	var a answer
	if !a.parse(data) {
		c.run.result.Strays++
		return nil
	}
	number := int32(a.xid & (maxClients - 1))
	if int(number) >= len(c.clients) || c.clients[number].waits == 0 || c.clients[number].xid != a.xid {
		c.run.result.Strays++ // the answer to something that was said twice
		return nil
	}
	if a.chaddr != c.hwaddr(number) {
		c.wrong(number, "the answer has another client's chaddr")
		return nil
	}
	cl := &c.clients[number]
	switch {
	case a.kind == offer && cl.waits == offer:
		return c.accept(number, &a)
	case a.kind == ack && cl.waits == ack:
		c.take(number, &a)
	case a.kind == nak && cl.waits == ack:
		c.run.result.NAKs++
		cl.firm = false
		c.land(number)
	default:
		c.run.result.Strays++
	}
	return nil
}

// accept answers an OFFER by a REQUEST.
func (c *Crowd) accept(number int32, a *answer) error {
	r, cl := &c.run, &c.clients[number]
	if a.yiaddr == 0 || a.server == 0 {
		c.wrong(number, "an OFFER without an address or a server identifier")
		c.land(number)
		return nil
	}
	cl.addr, cl.server, cl.waits, cl.tries = a.yiaddr, a.server, ack, 1
	cl.asked, cl.sent = r.now, r.now
	return c.say(r.load.Workload, number)
}

// take completes an exchange.
func (c *Crowd) take(number int32, a *answer) {
	r, cl := &c.run, &c.clients[number]
	r.result.whole = append(r.result.whole, r.now-cl.began)
	r.result.acks = append(r.result.acks, r.now-cl.asked)
	r.result.Exchanges++
	c.land(number)
	switch {
	case a.yiaddr != cl.addr:
		c.wrong(number, fmt.Sprintf("asked for %v and was given %v", toAddr(cl.addr), toAddr(a.yiaddr)))
	case a.lease == 0:
		c.wrong(number, "a lease without a time")
	}
	if owner, taken := c.owners[a.yiaddr]; taken && owner != number {
		c.wrong(number, fmt.Sprintf("%v belongs to client %d", toAddr(a.yiaddr), owner))
		return
	}
	c.owners[a.yiaddr] = number
	if cl.firm {
		return
	}
	cl.firm = true
	if r.load.Workload == New {
		c.bound = append(c.bound, number)
	}
}

// wrong writes down what a server must not do.
func (c *Crowd) wrong(number int32, what string) {
	r := &c.run.result
	r.Wrong++
	if r.Example == "" {
		r.Example = fmt.Sprintf("client %d: %s", number, what)
	}
}
