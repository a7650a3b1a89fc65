package control

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// DNSQuery is a question as a guest would ask it.
type DNSQuery struct {
	Name    string     // or an address, for its reverse name
	Type    string     // "": A, or PTR for an address
	From    netip.Addr // who asks; invalid: the host
	Network string     // whose server; "": that of who asks, without one each
	DNSSEC  bool       // with the DO bit
	Ask     bool       // upstreams too, if it comes to that
}

// DNSExplanation is how a question is answered in one network, and why.
type DNSExplanation struct {
	Network       string     `json:"network"`
	Client        netip.Addr `json:"client" doc:"Who asks"`
	Name          string     `json:"name" doc:"With its last dot"`
	Type          string     `json:"type"`
	Steps         []DNSStep  `json:"steps" nullable:"false" doc:"What each stage of the decision said"`
	Open          bool       `json:"open,omitempty" doc:"An upstream would have to be asked, and none was: what follows isn't known"`
	Reason        string     `json:"reason,omitempty" doc:"The reason code, as in the counters"`
	Text          string     `json:"text,omitempty" doc:"The reason in words"`
	Rcode         string     `json:"rcode,omitempty" example:"NXDOMAIN"`
	Authoritative bool       `json:"authoritative,omitempty" doc:"AA"`
	Authenticated bool       `json:"authenticated,omitempty" doc:"AD: the upstream has validated the answer"`
	Answer        []string   `json:"answer,omitempty" doc:"Records: name, TTL, type, data"`
	Authority     []string   `json:"authority,omitempty"`
	Extended      []string   `json:"extended,omitempty" doc:"Extended errors, RFC 8914"`
	Upstream      string     `json:"upstream,omitempty" doc:"The group of upstreams that the question belongs to"`
	Server        string     `json:"server,omitempty" doc:"The upstream whose answer it is, if one was asked now"`
	Took          int64      `json:"took_us" doc:"Microseconds from the question to the answer"`
	Remedies      []string   `json:"remedies,omitempty" doc:"What may be done about it, for people"`
}

// DNSStep is what one stage said.
type DNSStep struct {
	Stage   string     `json:"stage" doc:"client, local, policy, cache or upstream"`
	Name    string     `json:"name" doc:"What it was about: the question's name, or what an alias of it leads to"`
	Says    string     `json:"says" doc:"In words, which may change"`
	Reason  string     `json:"reason,omitempty" doc:"The reason code, where the stage answered"`
	Network string     `json:"network,omitempty" doc:"The network of the zone"`
	Zone    string     `json:"zone,omitempty" doc:"The local zone that the name is in"`
	Lease   *Lease     `json:"lease,omitempty" doc:"Whose name or address it is, or was"`
	Host    string     `json:"host,omitempty" doc:"The host block whose name or address it is"`
	Group   string     `json:"upstream,omitempty" doc:"The group of upstreams"`
	Servers []Upstream `json:"servers,omitempty" doc:"Of the group, in the order in which they are asked"`
	Cached  *DNSCached `json:"cached,omitempty" doc:"What the cache has"`
	After   int64      `json:"after_us" doc:"Microseconds since the question"`
}

// DNSCached is an answer in the cache.
type DNSCached struct {
	Kind          string `json:"kind" enum:"answer,negative,failure"`
	Age           int64  `json:"age_seconds"`
	Left          int64  `json:"left_seconds" doc:"How long it is good for; below zero it has expired"`
	Authenticated bool   `json:"authenticated,omitempty" doc:"AD"`
}

type explainDNSInput struct {
	Name    string     `query:"name" required:"true" example:"vm1.lab.internal" doc:"A name, or an address for its reverse name"`
	Type    string     `query:"type" doc:"Without it A, or PTR for an address" example:"AAAA"`
	From    netip.Addr `query:"from" doc:"Who asks; without it the host itself"`
	Network string     `query:"network" doc:"Only this network"`
	DNSSEC  bool       `query:"dnssec" doc:"As a client that validates asks: with the DO bit"`
	Ask     bool       `query:"ask" doc:"Also ask upstreams, if it comes to that, once; their answer is kept as always"`
}

func registerExplainDNS(api huma.API, backend Backend) {
	huma.Register(api, huma.Operation{
		OperationID: "explain-dns", Method: http.MethodGet, Path: "/v1/explain/dns",
		Summary: "How a question is answered now, and why, by network; nothing is counted",
	}, func(ctx context.Context, in *explainDNSInput) (*body[[]DNSExplanation], error) {
		found, err := backend.ExplainDNS(ctx, DNSQuery{in.Name, in.Type, in.From, in.Network, in.DNSSEC, in.Ask})
		if err != nil {
			return nil, problem(err)
		}
		return respondList(found), nil
	})
}

// ExplainDNS asks how a question is answered.
func (c *Client) ExplainDNS(ctx context.Context, q DNSQuery) ([]DNSExplanation, error) {
	query := url.Values{"name": {q.Name}, "dnssec": {strconv.FormatBool(q.DNSSEC)}, "ask": {strconv.FormatBool(q.Ask)}}
	for key, value := range map[string]string{"type": q.Type, "network": q.Network} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if q.From.IsValid() {
		query.Set("from", q.From.String())
	}
	var found []DNSExplanation
	return found, c.do(ctx, http.MethodGet, "/v1/explain/dns?"+query.Encode(), &found)
}
