package control

import (
	"context"
	"encoding/hex"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// DHCPQuery is a client as it would ask. What is empty is not sent.
type DHCPQuery struct {
	MAC         net.HardwareAddr
	ClientID    []byte
	Hostname    string
	VendorClass string
	UserClass   string
	Arch        int // option 93, or -1
	Requested   netip.Addr
	Network     string // "": all
}

// DHCPExplanation is what a client would get from one network now, and why.
type DHCPExplanation struct {
	Network      string           `json:"network"`
	Identity     string           `json:"identity" doc:"What tells this client from others: client_id, mac, or both for a clone"`
	Client       string           `json:"client" doc:"The identity itself"`
	Classes      []string         `json:"classes,omitempty" doc:"The classes that it is of"`
	Discover     DHCPAnswer       `json:"discover" doc:"What it would be answered if it asked for an address"`
	Reboot       *DHCPAnswer      `json:"reboot,omitempty" doc:"What it would be answered if it restarted with the address: the requested one, else the one that it holds, was offered or had"`
	Reservation  *DHCPReservation `json:"reservation,omitempty"`
	NameObstacle string           `json:"name_obstacle,omitempty" enum:"taken,reserved,invalid" doc:"Why it doesn't get the name that it asks for"`
	NameHolder   *Lease           `json:"name_holder,omitempty" doc:"Who has that name"`
	Running      *Lease           `json:"running,omitempty" doc:"The lease that it holds"`
	Held         *Lease           `json:"held,omitempty" doc:"What it was offered a moment ago"`
	Former       *Lease           `json:"former,omitempty" doc:"Its last lease, which has ended"`
	Pool         DHCPPool         `json:"pool"`
	Quarantined  []Lease          `json:"quarantined" nullable:"false" doc:"Addresses that were found in use by others, and rest"`
}

// DHCPAnswer is an answer that wasn't given.
type DHCPAnswer struct {
	Reply     string     `json:"reply,omitempty" doc:"OFFER, ACK or NAK; absent for none"`
	Reason    string     `json:"reason" doc:"The reason code, as in the counters"`
	Text      string     `json:"text" doc:"The reason in words"`
	Address   netip.Addr `json:"address,omitzero"`
	Name      string     `json:"name,omitempty" doc:"The DNS label that the lease would have"`
	LeaseTime string     `json:"lease_time,omitempty" doc:"A duration such as 12h0m0s, or infinite"`
	UsedBy    string     `json:"used_by,omitempty" doc:"Another machine that was found using the address: it will rest, and another be offered"`
	// For booting, from the header of the message.
	NextServer netip.Addr   `json:"next_server,omitzero" doc:"siaddr"`
	ServerName string       `json:"server_name,omitempty" doc:"sname"`
	BootFile   string       `json:"boot_file,omitempty" doc:"file"`
	Options    []DHCPOption `json:"options,omitempty" doc:"In the order in which they are sent"`
	Error      string       `json:"error,omitempty"`
}

// DHCPOption is an option as it is sent.
type DHCPOption struct {
	Code  uint8  `json:"code"`
	Name  string `json:"name" doc:"As in the configuration where it has one there"`
	Value string `json:"value" doc:"For people"`
	Hex   string `json:"hex" doc:"The bytes"`
	From  string `json:"from,omitempty" doc:"What gives it: network, class NAME or host NAME; absent where the server makes it for each message"`
}

// DHCPReservation is the host block that is for the client, or what was reserved for it at run time.
type DHCPReservation struct {
	Host      string     `json:"host" doc:"Its name; empty for one made at run time without one"`
	Address   netip.Addr `json:"address,omitzero" doc:"Absent where any address will do"`
	MatchedBy string     `json:"matched_by" enum:"client_id,mac,hostname"`
	Obstacle  string     `json:"obstacle,omitempty" doc:"Why it can't have the address now"`
	Blocker   *Lease     `json:"blocker,omitempty" doc:"Who has the address"`
}

// DHCPPool is how far the addresses are used up that any client may get.
type DHCPPool struct {
	Addresses   uint64 `json:"addresses"`
	Leased      uint64 `json:"leased"`
	Offered     uint64 `json:"offered"`
	Quarantined uint64 `json:"quarantined"`
}

type explainInput struct {
	MAC         string     `query:"mac" required:"true" example:"52:54:00:12:34:56"`
	ClientID    string     `query:"client_id" doc:"Option 61 in hexadecimal, with colons or without"`
	Hostname    string     `query:"hostname" doc:"Option 12"`
	VendorClass string     `query:"vendor_class" doc:"Option 60"`
	UserClass   string     `query:"user_class" doc:"Option 77"`
	Arch        int        `query:"arch" default:"-1" minimum:"-1" maximum:"65535" doc:"Option 93; -1 for none"`
	Requested   netip.Addr `query:"requested" doc:"Option 50"`
	Network     string     `query:"network" doc:"Only this network"`
}

func registerExplain(api huma.API, backend Backend) {
	huma.Register(api, huma.Operation{
		OperationID: "explain-dhcp", Method: http.MethodGet, Path: "/v1/explain/dhcp",
		Summary: "What a DHCP client would get now, and why, by network; nothing is changed",
	}, func(ctx context.Context, in *explainInput) (*body[[]DHCPExplanation], error) {
		q := DHCPQuery{
			Hostname: in.Hostname, VendorClass: in.VendorClass, UserClass: in.UserClass, Arch: in.Arch, Requested: in.Requested, Network: in.Network,
		}
		var err error
		if q.MAC, err = ParseMAC(in.MAC); err != nil {
			return nil, huma.Error422UnprocessableEntity(err.Error())
		}
		if q.ClientID, err = ParseHex(in.ClientID); err != nil {
			return nil, huma.Error422UnprocessableEntity(err.Error())
		}
		found, err := backend.ExplainDHCP(ctx, q)
		if err != nil {
			return nil, problem(err)
		}
		return respondList(found), nil
	})
}

// ExplainDHCP asks what a client would get.
func (c *Client) ExplainDHCP(ctx context.Context, q DHCPQuery) ([]DHCPExplanation, error) {
	query := url.Values{"mac": {q.MAC.String()}, "arch": {strconv.Itoa(q.Arch)}}
	for key, value := range map[string]string{
		"client_id": hex.EncodeToString(q.ClientID), "hostname": q.Hostname, "vendor_class": q.VendorClass, "user_class": q.UserClass, "network": q.Network,
	} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if q.Requested.IsValid() {
		query.Set("requested", q.Requested.String())
	}
	var found []DHCPExplanation
	return found, c.do(ctx, http.MethodGet, "/v1/explain/dhcp?"+query.Encode(), &found)
}

// ParseMAC reads an Ethernet address.
func ParseMAC(s string) (net.HardwareAddr, error) {
	mac, err := net.ParseMAC(s)
	if err != nil || len(mac) != 6 {
		return nil, &net.AddrError{Err: "not a MAC, such as 52:54:00:12:34:56", Addr: s}
	}
	return mac, nil
}

// ParseHex reads bytes in hexadecimal, with colons or hyphens between them or without.
func ParseHex(s string) ([]byte, error) {
	raw, err := hex.DecodeString(strings.NewReplacer(":", "", "-", "").Replace(s))
	if err != nil {
		return nil, &hexError{s}
	}
	return raw, nil
}

type hexError struct{ text string }

func (e *hexError) Error() string {
	return strconv.Quote(e.text) + " is not bytes in hexadecimal, such as 01:52:54:00:12:34:56"
}
