package dhcpserver

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

func (a answer) text(from, to int) string { return string(bytes.TrimRight(a.raw[from:to], "\x00")) }

// booted is what a reply says of booting: siaddr, sname, file, and options 60, 66 and 67.
func booted(a *answer) string {
	return fmt.Sprintf("%v %q %q, %q %q %q", netip.AddrFrom4([4]byte(a.raw[offsetSiaddr:])), a.text(offsetSname, offsetFile), a.text(offsetFile, offsetCookie),
		a.get(optVendorClass), a.get(optTFTPServerName), a.get(optBootFile))
}

// pxe is a DISCOVER or REQUEST of a boot ROM; user is the user class of what it has loaded.
func pxe(q request, vendor string, arch byte, user string) request {
	q = with(q,
		optString(optVendorClass, fmt.Sprintf("%s:Arch:%05d:UNDI:003016", vendor, arch)), opt(optArchitecture, 0, arch), opt(94, 1, 3, 16),
		Option{Code: optMachineID, Data: append([]byte{0}, "0123456789abcdef"...)}, opt(optParameterList, 1, 3, 6, 43, 60, 66, 67, 97))
	if user != "" {
		q = with(q, optString(optUserClass, user))
	}
	return q
}

// chainLoading is the guide's example: the ROM loads iPXE for its architecture, and iPXE the script.
func chainLoading(c *Config) {
	c.Boot = Boot{NextServer: addrOf("10.0.0.5")}
	c.Classes = []Class{
		{Name: "bios", VendorClasses: []string{"PXEClient*"}, Architectures: []uint16{0}, Boot: Boot{File: "undionly.kpxe"}},
		{Name: "uefi", VendorClasses: []string{"PXEClient*"}, Architectures: []uint16{7, 9}, Boot: Boot{File: "ipxe.efi"}},
		{Name: "http", VendorClasses: []string{"HTTPClient*"}, Architectures: []uint16{16}, Boot: Boot{File: "http://10.0.0.5/ipxe.efi"}},
		{Name: "ipxe", UserClasses: []string{"iPXE"}, Boot: Boot{File: "http://10.0.0.5/boot.ipxe"}},
	}
}

var bootRows = []row{
	{name: "boot: each architecture gets its loader, iPXE the script", config: chainLoading, play: func(p *play) {
		for i, tc := range []struct {
			vendor string
			arch   byte
			user   string
			want   string
		}{
			{vendorPXE, 0, "", `10.0.0.5 "" "undionly.kpxe", "" "10.0.0.5" "undionly.kpxe"`},
			{vendorPXE, 7, "", `10.0.0.5 "" "ipxe.efi", "" "10.0.0.5" "ipxe.efi"`},
			{vendorPXE, 9, "", `10.0.0.5 "" "ipxe.efi", "" "10.0.0.5" "ipxe.efi"`},
			{vendorPXE, 11, "", `10.0.0.5 "" "", "" "10.0.0.5" ""`},
			{vendorPXE, 0, "iPXE", `10.0.0.5 "" "http://10.0.0.5/boot.ipxe", "" "10.0.0.5" "http://10.0.0.5/boot.ipxe"`},
			{vendorPXE, 7, "\x04iPXE", `10.0.0.5 "" "http://10.0.0.5/boot.ipxe", "" "10.0.0.5" "http://10.0.0.5/boot.ipxe"`},
			{vendorHTTP, 16, "", `10.0.0.5 "" "http://10.0.0.5/ipxe.efi", "HTTPClient" "10.0.0.5" "http://10.0.0.5/ipxe.efi"`},
			{vendorHTTP, 19, "", `10.0.0.5 "" "", "" "10.0.0.5" ""`},
		} {
			mac := "\x52\x54\x00\x00\x50" + string(rune('0'+i))
			a, _ := p.exchange(p.t, pxe(discover(mac, ""), tc.vendor, tc.arch, tc.user), broadcastFrom)
			if a == nil || a.kind != typeOffer {
				p.t.Fatalf("%s %d %q: answer %+v", tc.vendor, tc.arch, tc.user, a)
			}
			if got := booted(a); got != tc.want {
				p.t.Errorf("%s %d %q: OFFER\n got %s\nwant %s", tc.vendor, tc.arch, tc.user, got, tc.want)
			}
			a = p.answered(pxe(selecting(mac, a.yiaddr.String()), tc.vendor, tc.arch, tc.user), typeAck, ReasonAckSelecting)
			if got := booted(a); got != tc.want {
				p.t.Errorf("%s %d %q: ACK\n got %s\nwant %s", tc.vendor, tc.arch, tc.user, got, tc.want)
			}
		}
	}},
	{name: "boot: not in a NAK, in an answer to INFORM", config: func(c *Config) { c.Boot.File = "pxelinux.0" }, play: func(p *play) {
		if got, want := booted(p.answered(initReboot(macA, "192.0.2.1"), typeNak, ReasonNakOffLink)), `0.0.0.0 "" "", "" "" ""`; got != want {
			p.t.Errorf("a NAK says %s", got)
		}
		a := p.answeredFrom(request{kind: typeInform, mac: macA, ciaddr: "10.0.0.30"}, "10.0.0.30", typeAck, ReasonAckInform)
		if got, want := booted(a), `10.0.0.1 "" "pxelinux.0", "" "" "pxelinux.0"`; got != want {
			p.t.Errorf("INFORM:\n got %s\nwant %s", got, want)
		}
	}},
}

func TestBootFields(t *testing.T) {
	long := "http://10.0.0.5/" + strings.Repeat("x", 150)
	asks := opt(optParameterList, 66, 67)
	for _, tc := range []struct {
		name   string
		change func(*Config)
		in     request
		want   string
	}{
		{"nothing", func(*Config) {}, request{}, `0.0.0.0 "" "", "" "" ""`},
		{"a file alone is on this host", func(c *Config) { c.Boot.File = "a" }, request{}, `10.0.0.1 "" "a", "" "" "a"`},
		{"options are for who asks", func(c *Config) { c.Boot = Boot{"a", addrOf("10.0.0.5"), "boot"} }, with(request{}, opt(optParameterList, 1)), `10.0.0.5 "boot" "a", "" "" ""`},
		{"… for them", func(c *Config) { c.Boot = Boot{"a", addrOf("10.0.0.5"), "boot"} }, with(request{}, asks), `10.0.0.5 "boot" "a", "" "boot" "a"`},
		{"a server without a name is named by its address", func(c *Config) { c.Boot = Boot{NextServer: addrOf("10.0.0.5")} }, with(request{}, asks), `10.0.0.5 "" "", "" "10.0.0.5" ""`},
		{"nobody's address", func(c *Config) { c.Boot = Boot{File: "a", NextServer: addrOf("0.0.0.0")} }, with(request{}, asks), `0.0.0.0 "" "a", "" "" "a"`},
		{"too long for the header: in the option, asked or not", func(c *Config) { c.Boot = Boot{File: long} }, with(request{}, opt(optParameterList, 1)), `10.0.0.1 "" "", "" "" "` + long + `"`},
		{"127 bytes fit", func(c *Config) { c.Boot = Boot{File: long[:127]} }, with(request{}, opt(optParameterList, 1)), `10.0.0.1 "" "` + long[:127] + `", "" "" ""`},
		{"63 bytes fit", func(c *Config) { c.Boot = Boot{ServerName: long[:63]} }, with(request{}, opt(optParameterList, 1)), `0.0.0.0 "` + long[:63] + `" "", "" "" ""`},
		{"64 don't", func(c *Config) { c.Boot = Boot{ServerName: long[:64]} }, with(request{}, opt(optParameterList, 1)), `0.0.0.0 "" "", "" "` + long[:64] + `" ""`},
		{"an option says it otherwise", func(c *Config) {
			c.Boot = Boot{File: "a", ServerName: "boot"}
			c.Options = append(c.Options, optString(66, "other"), optString(67, "b"))
		}, with(request{}, asks), `10.0.0.1 "boot" "a", "" "other" "b"`},
		{"a class's file over the network's option", func(c *Config) {
			c.Options = append(c.Options, optString(67, "b"))
			c.Classes = []Class{{MACPrefixes: []string{"\x52"}, Boot: Boot{File: "a"}}}
		}, with(request{}, asks), `10.0.0.1 "" "a", "" "" "a"`},
		{"a class's server hasn't the network's name", func(c *Config) {
			c.Boot = Boot{"a", addrOf("10.0.0.5"), "boot"}
			c.Classes = []Class{{MACPrefixes: []string{"\x52"}, Boot: Boot{NextServer: addrOf("10.0.0.6")}}}
		}, with(request{}, asks), `10.0.0.6 "" "a", "" "10.0.0.6" "a"`},
		{"… nor has nobody", func(c *Config) {
			c.Boot = Boot{"a", addrOf("10.0.0.5"), "boot"}
			c.Classes = []Class{{MACPrefixes: []string{"\x52"}, Boot: Boot{NextServer: addrOf("0.0.0.0")}}}
		}, with(request{}, asks), `0.0.0.0 "" "a", "" "" "a"`},
		{"a class's server leaves the network's option 67", func(c *Config) {
			c.Boot = Boot{File: "a"}
			c.Options = append(c.Options, optString(67, "b"))
			c.Classes = []Class{{MACPrefixes: []string{"\x52"}, Boot: Boot{NextServer: addrOf("10.0.0.6")}}}
		}, with(request{}, asks), `10.0.0.6 "" "a", "" "10.0.0.6" "b"`},
		{"PXE: no option 60 where the boot file says it all", func(c *Config) { c.Boot.File = "a" }, pxe(request{}, vendorPXE, 7, ""), `10.0.0.1 "" "a", "" "" "a"`},
		{"PXE: one with a class's option 43", func(c *Config) {
			c.Boot.File = "a"
			c.Classes = []Class{{VendorClasses: []string{"PXEClient*"}, Options: []Option{opt(optVendorSpecific, 6, 1, 8, 255)}}}
		}, pxe(request{}, vendorPXE, 7, ""), `10.0.0.1 "" "a", "PXEClient" "" "a"`},
		{"… not with everybody's", func(c *Config) {
			c.Boot.File = "a"
			c.Options = append(c.Options, opt(optVendorSpecific, 6, 1, 8, 255))
		}, pxe(request{}, vendorPXE, 7, ""), `10.0.0.1 "" "a", "" "" "a"`},
		{"… and not for others", func(c *Config) {
			c.Classes = []Class{{VendorClasses: []string{"*"}, Options: []Option{opt(optVendorSpecific, 6, 1, 8, 255)}}}
		}, with(request{}, optString(optVendorClass, "MSFT 5.0")), `0.0.0.0 "" "", "" "" ""`},
		{"HTTP: one with a boot file, also unasked", func(c *Config) { c.Boot.File = "a" }, with(request{}, optString(optVendorClass, "HTTPClient"), opt(optParameterList, 67)), `10.0.0.1 "" "a", "HTTPClient" "" "a"`},
		{"HTTP: none without", func(*Config) {}, pxe(request{}, vendorHTTP, 16, ""), `0.0.0.0 "" "", "" "" ""`},
		{"one's own option 60", func(c *Config) {
			c.Boot.File = "a"
			c.Options = append(c.Options, optString(60, "mine"))
		}, pxe(request{}, vendorHTTP, 16, ""), `10.0.0.1 "" "a", "mine" "" "a"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.in.kind = typeDiscover
			s := testSettings(t, tc.change)
			m := tc.in.parse(t)
			b, dropped := s.appendReply(nil, m, reply{kind: replyOffer, yiaddr: testAddr, profile: s.profileFor(m, "")})
			a := readAnswer(t, b)
			if got := booted(&a); got != tc.want || dropped {
				t.Errorf("dropped %v\n got %s\nwant %s", dropped, got, tc.want)
			}
			if got := a.get(optMachineID) != nil; got != (string(a.get(optVendorClass)) == vendorPXE) {
				t.Errorf("option 97: %v", got)
			}
		})
	}
}

// TestOverloadSparesTheBootFile: its place in the header is what boot ROMs read; options go where there is room beside it.
func TestOverloadSparesTheBootFile(t *testing.T) {
	filler := func(n int) func(*Config) {
		return func(c *Config) {
			c.Options = nil
			for code := range uint8(n) {
				c.Options = append(c.Options, optString(150+code, strings.Repeat("x", 23)))
			}
			c.Boot = Boot{File: "pxelinux.0", NextServer: addrOf("10.0.0.5")}
		}
	}
	for _, tc := range []struct {
		name     string
		n        int
		server   string
		header   bool // the file stands in the header
		overload []byte
		dropped  bool
	}{
		{"everything fits", 6, "", true, nil, false},
		{"the server's field is free", 11, "", true, []byte{overloadSname}, false},
		{"that isn't enough: the file becomes an option", 14, "", false, []byte{overloadFile}, false},
		{"both are needed", 16, "", false, []byte{overloadFile | overloadSname}, false},
		{"none is free", 12, "boot", false, []byte{overloadFile}, false},
		{"too much for all: what boots is not what is dropped", 30, "", false, []byte{overloadFile | overloadSname}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := testSettings(t, filler(tc.n), func(c *Config) { c.Boot.ServerName = tc.server })
			m := request{kind: typeDiscover}.parse(t)
			b, dropped := s.appendReply(nil, m, reply{kind: replyOffer, yiaddr: testAddr, profile: s.base})
			a := readAnswer(t, b)
			if dropped != tc.dropped || !slices.Equal(a.get(optOverload), tc.overload) || (a.text(offsetFile, offsetCookie) == "pxelinux.0") != tc.header {
				t.Errorf("dropped %v, overload %v, %s", dropped, a.get(optOverload), booted(&a))
			}
			if got := string(a.get(optBootFile)); got != "pxelinux.0" {
				t.Errorf("option 67: %q", got)
			}
			lost := 0
			for code := range uint8(tc.n) {
				if len(a.get(150+code)) != 23 {
					lost++
				}
			}
			if lost > 0 != tc.dropped {
				t.Errorf("%d options lost", lost)
			}
		})
	}
}
