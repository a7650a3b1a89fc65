package dnsserver

import (
	"encoding/binary"
	"log/slog"
	"net"
	"net/netip"
	"testing"

	"github.com/miekg/dns"
)

// BenchmarkMiss asks for names that nobody has asked for, one after the other, with an upstream that answers at once; the upstream's and the
// client's own work is in it, but for their memory.
func BenchmarkMiss(b *testing.B) {
	upstream, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		b.Fatal(err)
	}
	defer upstream.Close()
	go func() {
		var m [512]byte
		for {
			n, from, err := upstream.ReadFromUDPAddrPort(m[:])
			if err != nil {
				return
			}
			end := headerSize + len("0123456789abcdef.example.org") + 2 + 4
			rest := append([]byte{}, m[end:n]...) // OPT
			m[2], m[3], m[7] = 0x81, 0x80, 1
			answer := append(append(m[:end], "\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01"...), rest...)
			_, _ = upstream.WriteToUDPAddrPort(answer, from)
		}
	}()
	cfg := labs(freePort(b))
	cfg.Upstreams = []UpstreamGroup{{Name: "default", Servers: []netip.AddrPort{upstream.LocalAddr().(*net.UDPAddr).AddrPort()}}}
	startLogging(b, cfg, testLeases(), slog.New(slog.DiscardHandler))
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 10, 0, 9)}, net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port)))
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	packet := packMsg(new(dns.Msg).SetQuestion("0123456789abcdef.example.org.", dns.TypeA).SetEdns0(1232, false))
	var answer [512]byte
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		for k := range 16 {
			packet[headerSize+1+k] = "0123456789abcdef"[i>>(4*k)&15]
		}
		binary.BigEndian.PutUint16(packet, uint16(i))
		if _, err := conn.Write(packet); err != nil {
			b.Fatal(err)
		}
		if n, err := conn.Read(answer[:]); err != nil || answer[7] != 1 {
			b.Fatalf("no answer: %x, %v", answer[:n], err)
		}
	}
}
