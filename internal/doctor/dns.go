package doctor

import (
	"context"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// dnsWait is how long an answer may take; it is asked for twice.
const (
	dnsWait  = 2 * time.Second
	dnsTries = 2
)

// ask asks a DNS server over UDP, and over TCP where the answer doesn't fit.
func ask(ctx context.Context, server netip.AddrPort, name string, kind uint16) reply {
	question := new(dns.Msg)
	question.SetQuestion(dns.Fqdn(name), kind)
	var last error
	for range dnsTries {
		client := &dns.Client{Timeout: dnsWait}
		answer, took, err := client.ExchangeContext(ctx, question, server.String())
		if err == nil && answer.Truncated {
			client.Net = "tcp"
			answer, took, err = client.ExchangeContext(ctx, question, server.String())
		}
		if err != nil {
			last = err
			continue
		}
		r := reply{rcode: dns.RcodeToString[answer.Rcode], took: took}
		for _, record := range answer.Answer {
			if a, ok := record.(*dns.A); ok {
				if addr, ok := toAddr(a.A); ok {
					r.answers = append(r.answers, addr)
				}
			}
		}
		return r
	}
	return reply{err: last}
}

// answers reports whether a server does its work: it may say that a name isn't there.
func (r reply) fine() bool { return r.err == nil && (r.rcode == "NOERROR" || r.rcode == "NXDOMAIN") }

// says is the reply in a few words.
func (r reply) says() string {
	if r.err != nil {
		return "no answer"
	}
	return r.rcode
}
