package dnsserver

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
)

// The hash's own vector: the paper's appendix A, bytes 0 to 14 under the key 0 to 15.
func TestSipHash(t *testing.T) {
	var secret [16]byte
	data := make([]byte, 15)
	for i := range secret {
		secret[i] = byte(i)
	}
	for i := range data {
		data[i] = byte(i)
	}
	key := newSipKey(secret)
	if got := key.sum(data); got != 0xa129ca6149be45e5 {
		t.Errorf("got %x", got)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func keyOf(t testing.TB, s string) sipKey { return newSipKey([16]byte(unhex(t, s))) }

// RFC 9018 appendix A: what comes and when, what is made of it.
func TestServerCookies(t *testing.T) {
	const first, former, latter = "e5e973e5a6b2a43f48e7dc849e37bfcf", "dd3bdf9344b678b185a6f5cb60fca715", "445536bcd2513298075a5d379663c962"
	for _, c := range []struct {
		name              string
		current, previous string
		client            string
		came              string
		now               int64
		good              bool
		want              string
	}{
		{"A.1, a new one", first, former, "198.51.100.100", "2464c4abcf10c957", 1559731985, true, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"A.2, renewed", first, former, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559734385, true, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		// The appendix has it renewed after 112 minutes, when it isn't good any more.
		{"A.3, with reserved bytes", first, former, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559727985, true, "fc93fc62807ddb86010000005cf78f71"},
		{"A.3, renewed", first, former, "203.0.113.203", "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5", 1559734700, false, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
		{"A.4, IPv6, the secret before", latter, former, "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, true, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"the secret before that", latter, first, "2001:db8:220:1:59de:d0f4:8769:82b8", "22681ab97d52c298010000005cf7c57926556bd0934c72f8", 1559741961, false, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
		{"another client", first, former, "198.51.100.101", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985, false, "2464c4abcf10c957010000005cf79f11"},
		{"an hour old", first, former, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 + 3600, true, "2464c4abcf10c957010000005cf7ad21"},
		{"older", first, former, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 + 3601, false, "2464c4abcf10c957010000005cf7ad22"},
		{"five minutes ahead", first, former, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 - 300, true, "2464c4abcf10c957010000005cf79de5"},
		{"further ahead", first, former, "198.51.100.100", "2464c4abcf10c957010000005cf79f111f8130c3eee29480", 1559731985 - 301, false, "2464c4abcf10c957010000005cf79de4"},
		{"another version", first, former, "198.51.100.100", "2464c4abcf10c957020000005cf79f111f8130c3eee29480", 1559731985, false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"another server's", first, former, "198.51.100.100", "2464c4abcf10c9570102030405060708", 1559731985, false, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var server cookies
			server.secrets.Store(&cookieSecrets{keyOf(t, c.current), keyOf(t, c.previous)})
			var q query
			if !q.parseCookie(unhex(t, c.came)) {
				t.Fatal("not understood")
			}
			client, now := netip.MustParseAddr(c.client), time.Unix(c.now, 0)
			if good := server.good(&q, client, now); good != c.good {
				t.Errorf("good: %v", good)
			}
			if server.complete(&q, client, now); !strings.HasPrefix(hex.EncodeToString(q.cookie[:]), c.want) {
				t.Errorf("answered by %x, want %s", q.cookie, c.want)
			}
		})
	}
}

// A secret that is replaced is good once more.
func TestSecretsAreRenewed(t *testing.T) {
	var server cookies
	server.renew()
	client, now := netip.MustParseAddr("192.0.2.1"), time.Now()
	q := query{cookied: true}
	server.complete(&q, client, now)
	q.presented = append([]byte(nil), q.cookie[clientCookie:]...)
	for i, want := range []bool{true, true, false} {
		if got := server.good(&q, client, now); got != want {
			t.Errorf("after %d renewals: %v", i, got)
		}
		server.renew()
	}
}

// optionsOf is an OPT with options, given as code and value in hex.
func optionsOf(t testing.TB, options ...string) func(*dns.Msg) {
	return func(m *dns.Msg) {
		m.SetEdns0(1232, false)
		for _, o := range options {
			code, value, _ := strings.Cut(o, " ")
			var number uint16
			if _, err := fmt.Sscan(code, &number); err != nil {
				t.Fatal(err)
			}
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_LOCAL{Code: number, Data: unhex(t, value)})
		}
	}
}

// answeredOptions is the options of an answer: code and value, of a cookie the client's part and the length of the other.
func answeredOptions(m *dns.Msg) []string {
	opt := m.IsEdns0()
	if opt == nil {
		return []string{"no OPT"}
	}
	var all []string
	for _, o := range opt.Option {
		switch o := o.(type) {
		case *dns.EDNS0_COOKIE:
			all = append(all, fmt.Sprintf("cookie %s+%d", o.Cookie[:16], len(o.Cookie)/2-8))
		case *dns.EDNS0_TCP_KEEPALIVE:
			all = append(all, fmt.Sprintf("keepalive %d", o.Timeout))
		default:
			all = append(all, fmt.Sprintf("%d", o.Option()))
		}
	}
	return all
}

func TestOptions(t *testing.T) {
	serve := direct(t, labs(freePort(t)))
	const eight = "0102030405060708"
	answered := []string{"cookie " + eight + "+16"}
	for _, c := range []struct {
		name    string
		options []string
		tcp     bool
		rcode   int
		want    []string
	}{
		{"none", nil, false, dns.RcodeSuccess, nil},
		{"a client's cookie", []string{"10 " + eight}, false, dns.RcodeSuccess, answered},
		{"with one of another server", []string{"10 " + eight + strings.Repeat("ab", 16)}, false, dns.RcodeSuccess, answered},
		{"the shortest", []string{"10 " + eight + strings.Repeat("ab", 8)}, false, dns.RcodeSuccess, answered},
		{"the longest", []string{"10 " + eight + strings.Repeat("ab", 32)}, false, dns.RcodeSuccess, answered},
		{"empty", []string{"10 "}, false, dns.RcodeFormatError, nil},
		{"7 bytes", []string{"10 01020304050607"}, false, dns.RcodeFormatError, nil},
		{"9 bytes", []string{"10 " + eight + "09"}, false, dns.RcodeFormatError, nil},
		{"15 bytes", []string{"10 " + eight + "01020304050607"}, false, dns.RcodeFormatError, nil},
		{"41 bytes", []string{"10 " + eight + strings.Repeat("ab", 33)}, false, dns.RcodeFormatError, nil},
		{"two, the first counts", []string{"10 " + eight, "10 ff"}, false, dns.RcodeSuccess, answered},
		{"among others", []string{"3 ", "10 " + eight, "65001 abcd"}, false, dns.RcodeSuccess, answered},
		{"keepalive", []string{"11 "}, true, dns.RcodeSuccess, []string{"keepalive 300"}},
		{"keepalive and cookie", []string{"11 ", "10 " + eight}, true, dns.RcodeSuccess, append(answered[:1:1], "keepalive 300")},
		{"keepalive over UDP", []string{"11 "}, false, dns.RcodeSuccess, nil},
		{"keepalive with a time", []string{"11 0064"}, true, dns.RcodeSuccess, []string{"keepalive 300"}},
		{"that over UDP", []string{"11 0064"}, false, dns.RcodeSuccess, nil},
		{"NSID, expire, client subnet, padding", []string{"3 ", "9 ", "8 00010000", "12 0000"}, true, dns.RcodeSuccess, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := new(dns.Msg).SetQuestion("vm1.lab.internal.", dns.TypeA)
			optionsOf(t, c.options...)(m)
			var r dns.Msg
			if err := r.Unpack(serve(packMsg(m), "127.10.0.50", c.tcp)); err != nil {
				t.Fatal(err)
			}
			if r.Rcode != c.rcode || (len(r.Answer) == 1) != (c.rcode == 0) {
				t.Errorf("answered by %v", &r)
			}
			if diff := cmp.Diff(c.want, answeredOptions(&r)); diff != "" && c.rcode == 0 {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			if r.IsEdns0() == nil {
				t.Error("no OPT")
			}
		})
	}
}

// A question for a cookie alone, RFC 7873 section 5.4.
func TestCookieWithoutAQuestion(t *testing.T) {
	serve := direct(t, labs(freePort(t)))
	ask := func(from, cookie string, options ...string) *dns.Msg {
		t.Helper()
		m := new(dns.Msg)
		m.Id, m.RecursionDesired = 99, true
		optionsOf(t, append(options, "10 "+cookie)...)(m)
		var r dns.Msg
		if err := r.Unpack(serve(packMsg(m), from, false)); err != nil {
			t.Fatal(err)
		}
		if len(r.Question)+len(r.Answer)+len(r.Ns) > 0 || r.Id != 99 {
			t.Errorf("answered by %v", &r)
		}
		return &r
	}
	cookieIn := func(m *dns.Msg) string {
		for _, o := range m.IsEdns0().Option {
			if o, ok := o.(*dns.EDNS0_COOKIE); ok {
				return o.Cookie
			}
		}
		t.Fatalf("no cookie in %v", m)
		return ""
	}
	const eight = "0102030405060708"
	first := ask("127.10.0.50", eight)
	if first.Rcode != dns.RcodeSuccess {
		t.Errorf("a client's cookie: %v", first)
	}
	if r := ask("127.10.0.50", cookieIn(first), "3 "); r.Rcode != dns.RcodeSuccess {
		t.Errorf("our own cookie: %v", r)
	}
	if r := ask("127.10.0.51", cookieIn(first)); r.Rcode != dns.RcodeBadCookie || len(cookieIn(r)) != 48 {
		t.Errorf("another client's cookie: %v", r)
	}
	if r := ask("192.0.2.1", eight); r.Rcode != dns.RcodeRefused {
		t.Errorf("a stranger: %v", r)
	}
}

// A cookie takes room in the answer: what no longer fits is cut off, over UDP alone.
func TestCookieAtTheLimit(t *testing.T) {
	s, c := pathsServer(t)
	ask := func(size uint16, options ...string) (*dns.Msg, int) {
		m := new(dns.Msg).SetQuestion("mid.example.org.", dns.TypeTXT)
		optionsOf(t, options...)(m)
		m.IsEdns0().SetUDPSize(size)
		reply, _ := s.serve(packMsg(m), c, nil)
		if !c.tcp && len(reply) > int(size) {
			t.Errorf("%d bytes for %d", len(reply), size)
		}
		var r dns.Msg
		if err := r.Unpack(reply); err != nil {
			t.Fatal(err)
		}
		return &r, len(reply)
	}
	_, whole := ask(1232)
	size := uint16(whole)
	for _, try := range []struct {
		size    uint16
		options []string
		cut     bool
	}{{size, nil, false}, {size - 1, nil, true}, {size, []string{"10 0102030405060708"}, true}, {size + 28, []string{"10 0102030405060708"}, false}, {size + 27, []string{"10 0102030405060708"}, true}} {
		if r, _ := ask(try.size, try.options...); r.Truncated != try.cut || len(answeredOptions(r)) != len(try.options) {
			t.Errorf("%+v: cut %v, options %v", try, r.Truncated, answeredOptions(r))
		}
	}
}
