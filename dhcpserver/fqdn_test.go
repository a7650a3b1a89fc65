package dhcpserver

import (
	"fmt"
	"strings"
	"testing"
)

func TestFQDNInReplies(t *testing.T) {
	const lab = "lab.example.org"
	wire := "\x05guest\x03lab\x07example\x03org\x00"
	for _, tc := range []struct {
		name, domain, lease, asked string
		want                       string
	}{
		{"as text: the server does it, against the client's wish", lab, "guest", "\x00\x00\x00guest", "\x03\xff\xffguest.lab.example.org"},
		{"… as the client wishes", lab, "guest", "\x01\x00\x00guest", "\x01\xff\xffguest.lab.example.org"},
		{"encoded", lab, "guest", "\x05\x00\x00\x05guest", "\x05\xff\xff" + wire},
		{"encoded, against its wish", lab, "guest", "\x04\x00\x00\x05guest\x07example\x00", "\x07\xff\xff" + wire},
		{"it got another name", lab, "guest-2", "\x01\x00\x00guest", "\x01\xff\xffguest-2.lab.example.org"},
		{"it wants nobody to", lab, "guest", "\x08\x00\x00guest", "\x03\xff\xffguest.lab.example.org"},
		{"it got no name", lab, "", "\x01\x00\x00guest", "\x0a\xff\xff"},
		{"it got none, and would do it itself", lab, "", "\x04\x00\x00\x05guest", "\x0c\xff\xff"},
		{"there is no DNS here", "", "guest", "\x05\x00\x00\x05guest", "\x0e\xff\xff"},
		{"no name asked for, one given", lab, "guest", "\x05\x00\x00", "\x05\xff\xff" + wire},
		{"bits that must be zero", lab, "guest", "\xf1\x00\x00guest", "\x01\xff\xffguest.lab.example.org"},
		{"too long", strings.Repeat("a.", 120) + "a", strings.Repeat("b", 63), "\x01\x00\x00guest", "\x01\xff\xff"},
		{"too short to be one", lab, "guest", "\x01\x00", "none"},
		{"none", lab, "guest", "", "none"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, func(c *Config) { c.Domain = tc.domain })
			for _, kind := range []replyKind{replyOffer, replyAck} {
				for _, list := range [][]byte{nil, {1}, {optFQDN, 3}} {
					q := request{kind: typeRequest}
					if tc.asked != "" {
						q = with(q, optString(optFQDN, tc.asked))
					}
					if list != nil {
						q = with(q, opt(optParameterList, list...))
					}
					b, _ := s.appendReply(nil, q.parse(t), reply{kind: kind, yiaddr: testAddr, profile: s.base, name: tc.lease})
					a := readAnswer(t, b)
					got := "none"
					if data, ok := a.options.get(optFQDN); ok {
						got = string(data)
					}
					if got != tc.want {
						t.Errorf("%v, list %v:\n got %q\nwant %q", kind, list, got, tc.want)
					}
				}
			}
		})
	}
	s := testSettings(t, func(c *Config) { c.Domain = lab })
	q := with(request{kind: typeRequest}, optString(optFQDN, "\x01\x00\x00guest"))
	for _, kind := range []replyKind{replyNak, replyInform} {
		if a, _ := encode(t, s, q, kind); a.get(optFQDN) != nil {
			t.Errorf("%v has option 81", kind)
		}
	}
}

// TestHostNameInReplies: a client that asks is told the name that its lease has.
func TestHostNameInReplies(t *testing.T) {
	asks := opt(optParameterList, 12, 3)
	for _, tc := range []struct {
		name, lease string
		in          request
		change      func(*Config)
		want        string
	}{
		{"asked for", "db", with(request{}, asks), nil, "db"},
		{"the lease's, not what it says itself", "web-2", with(request{}, asks, optString(optHostName, "web")), nil, "web-2"},
		{"not asked for", "db", with(request{}, opt(optParameterList, 3)), nil, ""},
		{"no list", "db", request{}, nil, ""},
		{"no name", "", with(request{}, asks), nil, ""},
		{"set by an option", "db", with(request{}, asks), func(c *Config) { c.Options = append(c.Options, optString(12, "other")) }, "other"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, func(c *Config) {
				if tc.change != nil {
					tc.change(c)
				}
			})
			tc.in.kind = typeDiscover
			b, _ := s.appendReply(nil, tc.in.parse(t), reply{kind: replyOffer, yiaddr: testAddr, profile: s.base, name: tc.lease})
			a := readAnswer(t, b)
			if got := string(a.get(optHostName)); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if tc.want != "" && fmt.Sprint(a.codes[6:8]) != "[12 3]" {
				t.Errorf("the order is %v", a.codes)
			}
		})
	}
}
