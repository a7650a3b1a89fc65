package main

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"labnet/internal/control"
)

func (f *fake) ExplainDHCP(_ context.Context, q control.DHCPQuery) ([]control.DHCPExplanation, error) {
	f.asked = q
	if q.Network == "nowhere" {
		return nil, fmt.Errorf("%w: there is no network %q", control.ErrInvalid, q.Network)
	}
	all := exampleExplanations()
	if q.Network != "" {
		all = all[:1]
	}
	return all, nil
}

func exampleExplanations() []control.DHCPExplanation {
	addr := netip.MustParseAddr
	leases := exampleLeases()
	held := leases[1]
	held.State, held.Start, held.LastSeen, held.Expires = "offered", at("2030-01-02T12:00:00Z"), at("2030-01-02T12:00:00Z"), at("2030-01-02T12:01:00Z")
	leases[7].Expires = at("2030-01-02T11:00:00Z")
	declined := leases[3]
	declined.State = "declined"
	conflicting := declined
	conflicting.Address, conflicting.MAC, conflicting.ClientID = addr("10.0.0.68"), "52:54:00:00:66:66", "arp:52:54:00:00:66:66"
	return []control.DHCPExplanation{
		{
			Network: "lab", Identity: "client_id", Client: "01:52:54:00:ab:cd:ef", Classes: []string{"pxe\x1b[31m", "ipxe"},
			Discover: control.DHCPAnswer{
				Reply: "OFFER", Reason: "offer_reservation", Text: "the address reserved for it", Address: addr("10.0.0.57"), Name: "builder", LeaseTime: "12h0m0s",
				NextServer: addr("10.0.0.1"), ServerName: "boot", BootFile: "\x1b[31mundionly.kpxe",
				Options: []control.DHCPOption{
					{Code: 53, Name: "message_type", Value: "OFFER", Hex: "02"},
					{Code: 3, Name: "routers", Value: "10.0.0.1", Hex: "0a000001", From: "network"},
					{Code: 67, Name: "bootfile_name", Value: "\x1b]0;x\x07", Hex: "1b5d303b7807", From: "class pxe\x1b[31m"},
					{Code: 224, Value: "01:02", Hex: "0102", From: "host builder"},
				},
			},
			Reboot:      &control.DHCPAnswer{Reply: "ACK", Reason: "ack_init_reboot", Text: "restarted with the address it holds", Address: addr("10.0.0.57"), LeaseTime: "12h0m0s"},
			Reservation: &control.DHCPReservation{Host: "builder", Address: addr("10.0.0.57"), MatchedBy: "mac"},
			Running:     &leases[0],
			Pool:        control.DHCPPool{Addresses: 253, Leased: 6, Offered: 2, Quarantined: 2},
			Quarantined: []control.Lease{declined, conflicting},
		},
		{
			Network: "dmz", Identity: "mac", Client: "mac:52:54:00:00:00:77",
			Discover:    control.DHCPAnswer{Reason: "exhausted", Text: "no address is free", Error: "no free address"},
			Reboot:      &control.DHCPAnswer{Reply: "NAK", Reason: "nak_taken", Text: "another client has the address", Address: addr("10.1.0.70")},
			Reservation: &control.DHCPReservation{Host: "twin", Address: addr("10.1.0.70"), MatchedBy: "hostname", Obstacle: "another client has the address", Blocker: &leases[8]},
			Held:        &held, Former: &leases[7],
			Pool:        control.DHCPPool{Addresses: 1, Leased: 1},
			Quarantined: []control.Lease{},
		},
	}
}

func TestExplanations(t *testing.T) {
	mac, err := control.ParseMAC("52:54:00:ab:cd:ef")
	if err != nil {
		t.Fatal(err)
	}
	q := control.DHCPQuery{
		MAC: mac, ClientID: []byte{1, 2}, Hostname: "\x1b[31mowned", VendorClass: "PXEClient", UserClass: "iPXE", Arch: 7, Requested: netip.MustParseAddr("10.0.0.57"),
	}
	examples := exampleExplanations()
	nameless := examples[0]
	nameless.Discover.Name, nameless.Discover.Options, nameless.Network = "", nil, "third"
	nameless.Discover.UsedBy = "52:54:00:00:00:99"
	nameless.NameObstacle, nameless.NameHolder = "taken", &examples[0].Quarantined[0]
	nameless.Quarantined = []control.Lease{nameless.Quarantined[0]}
	nameless.Quarantined[0].ClientID = "arp:52:54:00:00:00:99"
	nameless.Identity = "client_id and mac"
	reserved, invalid := nameless, nameless
	reserved.NameObstacle, reserved.NameHolder = "reserved", nil
	invalid.NameObstacle, invalid.NameHolder = "invalid", nil
	var out bytes.Buffer
	if err := writeExplanations(&out, q, append(examples, nameless, reserved, invalid), at("2030-01-02T12:00:00Z")); err != nil {
		t.Fatal(err)
	}
	harmless(t, out.String())
	golden(t, "explain", out.String())
}

// The client asks as its lease says, as far as the flags don't say otherwise.
func TestWhoIsExplained(t *testing.T) {
	const none = "|||-1|invalid IP|"
	hostile := exampleLeases()[2]
	for _, test := range []struct{ name, args, want string }{
		{"unknown MAC", "52:54:00:00:00:77", "52:54:00:00:00:77||" + none},
		{"its own words", "52:54:00:00:00:77 --client-id 01:02 --hostname x --vendor v --user-class u --arch 0 --requested 10.0.0.9 --network lab", "52:54:00:00:00:77|0102|x|v|u|0|10.0.0.9|lab"},
		{"an architecture by its name", "52:54:00:00:00:77 --arch x86-64-uefi", "52:54:00:00:00:77|||||7|invalid IP|"},
		{"a lease by its MAC", "52:54:00:00:00:01", "52:54:00:00:00:01|01525400000001|builder|dhcpcd-9.4.1:Linux-6.12:x86_64||-1|invalid IP|"},
		{"a lease by its MAC, otherwise", "52-54-00-00-00-01 --client-id= --hostname= --vendor=", "52:54:00:00:00:01||" + none},
		{"a lease by its name", "builder", "52:54:00:00:00:01|01525400000001|builder|dhcpcd-9.4.1:Linux-6.12:x86_64||-1|invalid IP|lab"},
		{"a lease by its address", "10.0.0.70", "52:54:00:00:00:10|01525400000010|twin|||-1|invalid IP|lab"},
		{"what a guest sent", "10.0.0.66", "52:54:00:ab:cd:ef|01525400abcdef|" + jsonText(hostile.Hostname) + "|" + hostile.VendorClass + "||-1|invalid IP|lab"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &fake{leases: exampleLeases()}
			got := ask(t, f, append([]string{"explain", "dhcp"}, strings.Fields(test.args)...)...)
			q := f.asked
			if asked := fmt.Sprintf("%v|%x|%s|%s|%s|%d|%v|%s", q.MAC, q.ClientID, q.Hostname, q.VendorClass, q.UserClass, q.Arch, q.Requested, q.Network); got.Code != exitDone || asked != test.want {
				t.Errorf("%+v\n got %q\nwant %q", got, asked, test.want)
			}
			harmless(t, got.Out)
		})
	}
	long := &fake{leases: exampleLeases()[:1]}
	long.leases[0].Hostname, long.leases[0].VendorClass = strings.Repeat("\xff", 255), strings.Repeat("v", 255)
	if got := ask(t, long, "explain", "dhcp", "10.0.0.57"); got.Code != exitDone || len(long.asked.Hostname) != 255 || len(long.asked.VendorClass) != 255 {
		t.Errorf("%d and %d bytes: %+v", len(long.asked.Hostname), len(long.asked.VendorClass), got)
	}
	for args, want := range map[string]string{
		"nobody":                              `no lease has the name "nobody"; a guest without a lease is named by its MAC`,
		"10.0.0.200":                          "nobody has leased 10.0.0.200",
		"twin":                                "ambiguous",
		"52:54:00:00:00:77 --network nowhere": `there is no network "nowhere"`,
	} {
		if got := ask(t, &fake{leases: exampleLeases()}, append([]string{"explain", "dhcp"}, strings.Fields(args)...)...); got.Code != exitFailed || got.Out != "" || !strings.Contains(got.ErrOut, want) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// jsonText is s as it comes out of JSON: what isn't UTF-8 is replaced.
func jsonText(s string) string { return strings.ToValidUTF8(s, "\ufffd") }
