package dhcpserver

import (
	"bytes"
	"testing"
)

func TestClasslessRoutes(t *testing.T) {
	const (
		lab   = "\x10\x0a\x01\x0a\x00\x00\x0a" // 10.1.0.0/16 via 10.0.0.10
		other = "\x00\x0a\x00\x00\x09"         // the default by 10.0.0.9
		ours  = "\x00\x0a\x00\x00\x01"
	)
	asks := func(codes ...byte) request { return with(request{}, opt(optParameterList, codes...)) }
	routers := func(addrs ...string) func(*Config) {
		return func(c *Config) { c.Options = append(c.Options, optIP(optRouters, addrs...)) }
	}
	for _, tc := range []struct {
		name             string
		routes           string
		change           func(*Config)
		in               request
		option3, o121, m string
	}{
		{"the default route is added", lab, nil, asks(121, 3), "\x0a\x00\x00\x01", lab + ours, ""},
		{"… by the first of the routers", lab, routers("10.0.0.9", "10.0.0.8"), asks(121), "", lab + other, ""},
		{"… not if there is one", lab + other, nil, asks(121), "", lab + other, ""},
		{"… not if there is one first", other + lab, nil, asks(121), "", other + lab, ""},
		{"… not without routers", lab, func(c *Config) { c.Options = append(c.Options, opt(optRouters)) }, asks(121), "", lab, ""},
		{"… nor to what is no route", "\x21\x0a", nil, asks(121), "", "\x21\x0a", ""},
		{"… nor behind half a route", lab[:5], nil, asks(121), "", lab[:5], ""},
		{"Microsoft's number, for who asks", lab, nil, asks(249), "", "", lab + ours},
		{"… both", lab, nil, asks(249, 121), "", lab + ours, lab + ours},
		{"… not for a client without a list", lab, nil, request{}, "\x0a\x00\x00\x01", lab + ours, ""},
		{"… nor without routes", "", nil, asks(249, 121), "", "", ""},
		{"… set by itself", lab, func(c *Config) { c.Options = append(c.Options, optString(249, other)) }, asks(249, 121), "", lab + ours, other},
		{"a class's routes, the network's routers", "", func(c *Config) {
			c.Classes = []Class{{MACPrefixes: []string{"\x52"}, Options: []Option{optString(121, lab)}}}
		}, asks(249, 121), "", lab + ours, lab + ours},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, func(c *Config) {
				c.Options = append(c.Options, optString(optClasslessRoutes, tc.routes))
				if tc.change != nil {
					tc.change(c)
				}
			})
			tc.in.kind = typeDiscover
			m := tc.in.parse(t)
			b, _ := s.appendReply(nil, m, reply{kind: replyOffer, yiaddr: testAddr, profile: s.profileFor(m, "")})
			a := readAnswer(t, b)
			for code, want := range map[uint8]string{optRouters: tc.option3, optClasslessRoutes: tc.o121, optMicrosoftRoutes: tc.m} {
				if got := a.get(code); !bytes.Equal(got, []byte(want)) {
					t.Errorf("option %d: %x, want %x", code, got, want)
				}
			}
		})
	}
}
