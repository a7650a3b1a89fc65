package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/miekg/dns"
)

// The LAN beside the lab, with addresses of documentation (RFC 5737).
const (
	lanServer   = "192.0.2.1"
	lanRouter   = "192.0.2.2"
	outsideName = "www.example.org."
)

// lan is the world outside: a DNS server that knows one name, and a TCP service that tells its callers where they seem to come
// from.
type lan struct {
	dns *dns.Server
	tcp net.Listener
}

// openLAN starts the services in the current place.
func openLAN() (*lan, error) {
	packets, err := net.ListenPacket("udp4", net.JoinHostPort(lanServer, "53"))
	if err != nil {
		return nil, err
	}
	tcp, err := net.Listen("tcp4", net.JoinHostPort(lanServer, "80"))
	if err != nil {
		return nil, errors.Join(err, packets.Close())
	}
	l := &lan{dns: &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(answerOutside)}, tcp: tcp}
	go func() { _ = l.dns.ActivateAndServe() }()
	go l.tellCallers()
	return l, nil
}

func (l *lan) close() {
	_ = l.dns.Shutdown()
	_ = l.tcp.Close()
}

func answerOutside(w dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg).SetReply(q)
	m.Authoritative = true
	if dns.CanonicalName(q.Question[0].Name) == outsideName && q.Question[0].Qtype == dns.TypeA {
		m.Answer = []dns.RR{&dns.A{
			Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 300},
			A:   net.ParseIP(lanServer),
		}}
	} else {
		m.Rcode = dns.RcodeNameError
	}
	_ = w.WriteMsg(m)
}

// tellCallers sends each caller its own address as seen here.
func (l *lan) tellCallers() {
	for {
		conn, err := l.tcp.Accept()
		if err != nil {
			return
		}
		host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.WriteString(conn, host)
		_ = conn.Close()
	}
}

// seenAs calls the LAN's service from the current place and returns the address that it saw.
func seenAs(ctx context.Context) (string, error) {
	conn, err := dial(ctx, net.JoinHostPort(lanServer, "80"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	seen, err := io.ReadAll(conn)
	if err != nil {
		return "", fmt.Errorf("reading from the LAN: %w", err)
	}
	return string(seen), nil
}

// dial connects without leaving the calling thread: the place's own.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	return (&net.Dialer{Timeout: 5 * time.Second, FallbackDelay: -1}).DialContext(ctx, "tcp4", addr)
}
