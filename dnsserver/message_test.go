package dnsserver

import (
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// direct returns a server whose messages are given to serve, from whatever client.
func direct(t testing.TB, cfg Config) func(packet []byte, from string, tcp bool) []byte {
	t.Helper()
	s, err := Listen(cfg, testLeases(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	at := netip.AddrPortFrom(netip.MustParseAddr("127.10.0.1"), cfg.Port)
	return func(packet []byte, from string, tcp bool) []byte {
		reply, pending := s.serve(packet, client{addr: netip.AddrPortFrom(netip.MustParseAddr(from), 5353), at: at, tcp: tcp}, nil)
		if pending {
			t.Error("a question waits for an upstream that doesn't exist")
		}
		if s.stats[recovered].Load() != 0 {
			t.Errorf("a panic was caught on %x", packet)
		}
		return reply
	}
}

const (
	rdQuery  = "1234 0100 0001 0000 0000 0000 "
	optQuery = "1234 0100 0001 0000 0000 0001 "
	vm1Wire  = "03766d31 036c6162 08696e7465726e616c 00 "
	vm1A     = vm1Wire + "0001 0001 "
)

func TestMessages(t *testing.T) {
	serve := direct(t, labs(freePort(t)))
	for _, c := range []struct {
		name, packet string
		want         string // rcode, then "silence"; or the rcode and, after a slash, nothing but the question
	}{
		{"empty", "", "silence"},
		{"11 bytes", "1234 0100 0001 0000 0000 00", "silence"},
		{"a response", "1234 8100 0001 0000 0000 0000 " + vm1A, "silence"},
		{"header alone", rdQuery, "FORMERR"},
		{"no question", "1234 0100 0000 0000 0000 0000", "FORMERR"},
		{"two questions", "1234 0100 0002 0000 0000 0000 " + vm1A + vm1A, "FORMERR"},
		{"opcode NOTIFY", "1234 2100 0001 0000 0000 0000 " + vm1A, "NOTIMP"},
		{"opcode UPDATE", "1234 2900 0000 0000 0000 0000", "NOTIMP"},
		{"opcode 15", "1234 7900 0001 0000 0000 0000 " + vm1A, "NOTIMP"},
		{"pointer in the question", rdQuery + "c00c 0001 0001", "FORMERR"},
		{"pointer forward", rdQuery + "03766d31 c010 0001 0001", "FORMERR"},
		{"label of 64", rdQuery + "40" + strings.Repeat("61", 64) + "00 0001 0001", "FORMERR"},
		{"label cut off", rdQuery + "0376", "FORMERR"},
		{"no type", rdQuery + vm1Wire, "FORMERR"},
		{"name of 256", rdQuery + strings.Repeat("0161", 127) + "0000 0001 0001", "FORMERR"},
		{"additional cut off", optQuery + vm1A + "00 0029 04d0", "FORMERR"},
		{"additional missing", optQuery + vm1A, "FORMERR"},
		{"record data cut off", optQuery + vm1A + "00 0001 0001 00000000 0010 7f", "FORMERR"},
		{"two OPT", "1234 0100 0001 0000 0000 0002 " + vm1A + strings.Repeat("00 0029 04d0 00000000 0000 ", 2), "FORMERR"},
		{"OPT with a name", optQuery + vm1A + "0161 00 0029 04d0 00000000 0000", "FORMERR"},
		{"OPT in the answer section", "1234 0100 0001 0001 0000 0000 " + vm1A + "00 0029 04d0 00000000 0000", "FORMERR"},
		{"option cut off", optQuery + vm1A + "00 0029 04d0 00000000 0005 000a 0008 01", "FORMERR"},
		{"OPT as a question", rdQuery + vm1Wire + "0029 0001", "FORMERR"},
		{"type 0", rdQuery + vm1Wire + "0000 0001", "FORMERR"},
		{"EDNS version 1", optQuery + vm1A + "00 0029 04d0 00010000 0000", "BADVERS"},
		{"AXFR", rdQuery + vm1Wire + "00fc 0001", "REFUSED"},
		{"IXFR", rdQuery + vm1Wire + "00fb 0001", "REFUSED"},
		{"class CH", rdQuery + "0776657273696f6e 0462696e64 00 0010 0003", "REFUSED"},
		{"class ANY", rdQuery + vm1Wire + "0001 00ff", "REFUSED"},
		{"TSIG", optQuery + vm1A + "00 00fa 00ff 00000000 0000", "REFUSED"},
		{"unknown type", rdQuery + vm1Wire + "ff23 0001", "NOERROR"},
		{"unknown flag", "1234 0140 0001 0000 0000 0000 " + vm1A, "NOERROR"},
		{"unknown EDNS flag and option", optQuery + vm1A + "00 0029 04d0 00000040 0006 fde9 0002 0102", "NOERROR"},
		{"garbage behind", rdQuery + vm1A + "deadbeef", "NOERROR"},
		{"records in a question", "1234 0100 0001 0001 0000 0000 " + vm1A + "c00c 0001 0001 00000001 0004 01020304", "NOERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			packet, err := hex.DecodeString(strings.ReplaceAll(c.packet, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			reply := serve(packet, "127.10.0.50", false)
			if c.want == "silence" {
				if len(reply) != 0 {
					t.Errorf("answered by %x", reply)
				}
				return
			}
			m := new(dns.Msg)
			if err := m.Unpack(reply); err != nil {
				t.Fatalf("%x: %v", reply, err)
			}
			if got := dns.RcodeToString[m.Rcode]; got != c.want && (c.want != "BADVERS" || m.Rcode != dns.RcodeBadVers) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if m.Id != 0x1234 || !m.Response || m.Opcode != int(packet[2]>>3&0xf) || m.Zero {
				t.Errorf("header %+v", m.MsgHdr)
			}
		})
	}
}

func TestClients(t *testing.T) {
	serve := direct(t, labs(freePort(t)))
	for _, c := range []struct {
		from string
		want int
	}{
		{"127.10.0.77", dns.RcodeSuccess},  // the subnet
		{"198.51.100.9", dns.RcodeSuccess}, // configured
		{"127.0.0.1", dns.RcodeSuccess},    // the host
		{"127.11.0.129", dns.RcodeSuccess}, // the host, by another network's address
		{"::ffff:127.10.0.7", dns.RcodeSuccess},
		{"198.51.101.1", dns.RcodeRefused},
		{"192.0.2.1", dns.RcodeRefused},
		{"2001:db8::1", dns.RcodeRefused},
	} {
		q := packMsg(new(dns.Msg).SetQuestion("vm1.lab.internal.", dns.TypeA).SetEdns0(1232, true))
		m := new(dns.Msg)
		if err := m.Unpack(serve(q, c.from, false)); err != nil {
			t.Fatal(err)
		}
		if m.Rcode != c.want || m.Rcode == dns.RcodeRefused && (len(m.Answer) != 0 || !hasExtended(m, dns.ExtendedErrorCodeProhibited)) {
			t.Errorf("%s: %v", c.from, m)
		}
		if opt := m.IsEdns0(); opt == nil || !opt.Do() || opt.UDPSize() != 1232 {
			t.Errorf("%s: OPT %v", c.from, opt)
		}
	}
}

// Sizes: never more than the client takes, whatever the answer.
func TestAnswerSize(t *testing.T) {
	cfg := labs(freePort(t))
	record := Record{Name: "big", Type: "A"}
	for i := range 100 {
		record.Values = append(record.Values, netip.AddrFrom4([4]byte{127, 10, 0, byte(i + 1)}).String())
	}
	cfg.Networks[0].Records = append(cfg.Networks[0].Records, record)
	serve := direct(t, cfg)
	for _, c := range []struct {
		size uint16 // 0: no EDNS
		tcp  bool
		want int // records
	}{{0, false, 0}, {100, false, 0}, {1232, false, 0}, {65535, false, 0}, {0, true, 100}, {1232, true, 100}} {
		q := new(dns.Msg).SetQuestion("big.lab.internal.", dns.TypeA)
		if c.size != 0 {
			q.SetEdns0(c.size, false)
		}
		reply := serve(packMsg(q), "127.0.0.1", c.tcp)
		m := new(dns.Msg)
		if err := m.Unpack(reply); err != nil {
			t.Fatal(err)
		}
		if len(m.Answer) != c.want || m.Truncated != (c.want == 0) || !c.tcp && len(reply) > 512 {
			t.Errorf("%+v: %d records, tc %v, %d bytes", c, len(m.Answer), m.Truncated, len(reply))
		}
		if (m.IsEdns0() != nil) != (c.size != 0) {
			t.Errorf("%+v: OPT %v", c, m.IsEdns0())
		}
	}
}

// FuzzServe holds that no message makes serve panic, and that every answer is one that the library reads, with the
// question as it was asked.
func FuzzServe(f *testing.F) {
	for _, c := range localCases {
		f.Add(packMsg(new(dns.Msg).SetQuestion(c.name, c.qtype)), false)
	}
	f.Add(packMsg(new(dns.Msg).SetQuestion("vm1.", dns.TypeA).SetEdns0(4096, true)), true)
	f.Add([]byte{0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1}, false)
	serve := direct(f, labs(freePort(f)))
	f.Fuzz(func(t *testing.T, packet []byte, tcp bool) {
		reply := serve(packet, "127.10.0.50", tcp)
		if len(packet) < headerSize || packet[2]&0x80 != 0 {
			if len(reply) != 0 {
				t.Fatalf("answered by %x", reply)
			}
			return
		}
		m := new(dns.Msg)
		if err := m.Unpack(reply); err != nil {
			t.Fatalf("%x: %v", reply, err)
		}
		if binary.BigEndian.Uint16(packet) != m.Id || !m.Response {
			t.Fatalf("header %v", m)
		}
		if len(m.Question) == 1 {
			if n := skipName(reply, headerSize) + 4; string(reply[headerSize:n]) != string(packet[headerSize:n]) {
				t.Fatalf("the question came back as %v", m.Question)
			}
		}
		if !tcp && len(reply) > ednsSize {
			t.Fatalf("%d bytes", len(reply))
		}
	})
}

// FuzzDistill holds that no upstream's answer makes us panic, or pass on a record of another name.
func FuzzDistill(f *testing.F) {
	for _, lines := range [][]string{
		{"www.example.org. 300 A 192.0.2.1"},
		{"www.example.org. 300 CNAME a.example.org.", "a.example.org. 300 CNAME www.example.org."},
		{"www.example.org. 300 CNAME a.example.org.", "a.example.org. 1 A 192.0.2.1", "other.example.org. 1 A 192.0.2.6"},
		{"!example.org. 300 SOA ns.example.org. host.example.org. 1 3600 600 86400 60"},
		{"!.\t300 NS ns.example.org."},
	} {
		x := exchange{query: new(dns.Msg).SetQuestion("www.example.org.", dns.TypeA)}
		f.Add(packMsg(x.reply(dns.RcodeSuccess, lines...)), true)
		f.Add(packMsg(x.reply(dns.RcodeNameError, lines...)), false)
	}
	n, err := parseName("www.example.org")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, raw []byte, do bool) {
		if len(raw) < headerSize {
			return // what check never lets through
		}
		m, err := parseAnswer(raw)
		if err != nil {
			return
		}
		p, _ := distill(&asked{name: n, qtype: dns.TypeA, do: do}, m, func(name) bool { return true })
		q := query{edns: true, do: do, name: n, qtype: dns.TypeA, question: p.wire()[headerSize : headerSize+len(n)+4]}
		reply, _ := q.appendReply(nil, p, p.made, maxTCP)
		answer := new(dns.Msg)
		if err := answer.Unpack(reply); err != nil {
			t.Fatalf("%x: %v", reply, err)
		}
		chain := map[string]bool{"www.example.org.": true}
		for _, rr := range answer.Answer {
			if c, ok := rr.(*dns.CNAME); ok {
				chain[strings.ToLower(c.Target)] = true
			}
		}
		for _, rr := range answer.Answer {
			if h := rr.Header(); !chain[strings.ToLower(h.Name)] && h.Rrtype != dns.TypeDNAME && h.Rrtype != dns.TypeRRSIG {
				t.Fatalf("%s is not of the chain", rr)
			}
		}
	})
}
