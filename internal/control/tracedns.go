package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// DNSEvent is one question and what became of it. Fields are absent where they don't apply. The name is what a client chose.
type DNSEvent struct {
	Time     time.Time  `json:"time" doc:"When the question was read"`
	Network  string     `json:"network"`
	Client   netip.Addr `json:"client"`
	Port     uint16     `json:"port"`
	TCP      bool       `json:"tcp,omitempty"`
	Name     string     `json:"name,omitempty" doc:"With its last dot, in presentation format; absent where the message isn't understood"`
	Type     string     `json:"type,omitempty"`
	Rcode    string     `json:"rcode"`
	Answer   []string   `json:"answer,omitempty" doc:"The records of the answer: type and data; absent where it is longer than 1232 bytes"`
	Reason   string     `json:"reason" doc:"The reason code, as in the counters"`
	Text     string     `json:"text" doc:"The reason in words"`
	Cached   bool       `json:"cached,omitempty" doc:"It is the outside's name, and no upstream was asked"`
	Upstream string     `json:"upstream,omitempty" doc:"The group of upstreams that the question belongs to"`
	Server   string     `json:"server,omitempty" doc:"The upstream whose answer it is"`
	Took     int64      `json:"took_us" doc:"Microseconds from reading the question to having the answer"`
}

// DNSTrace is a subscription to DNS questions.
type DNSTrace = Subscription[DNSEvent]

// DNSTraceStream is the client's end of it.
type DNSTraceStream = EventStream[DNSEvent]

// dnsTraceLine is a line of the stream: an event, or a count of lost ones, or the end.
type dnsTraceLine struct {
	*DNSEvent
	Lost uint64 `json:"lost,omitempty" doc:"So many events are missing here, since they were not read in time"`
	End  string `json:"end,omitempty" doc:"Why nothing more comes"`
}

// DNSTraceFilter says which events are wanted: those to which all of it applies. Empty parts apply to every event.
type DNSTraceFilter struct {
	Network string
	Client  netip.Prefix
	Name    string // this name, and every name under it
	Type    string
	Reason  string
	Rcode   string
}

type traceDNSInput struct {
	Network string `query:"network" doc:"Only this network's questions"`
	Client  string `query:"client" doc:"Only questions of this address, or of an address of this prefix" example:"10.0.0.57"`
	Name    string `query:"name" doc:"Only questions about this name and what is under it" example:"example.org"`
	Type    string `query:"type" doc:"Only questions of this type" example:"AAAA"`
	Reason  string `query:"reason" doc:"Only this reason code"`
	Rcode   string `query:"rcode" doc:"Only answers with this code" example:"SERVFAIL"`
}

// registerTraceDNS adds the stream of events. It ends, by a line that says so, when stopping does.
func registerTraceDNS(api huma.API, backend Backend, stopping context.Context) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[dnsTraceLine](), true, "DNSTraceLine")
	huma.Register(api, huma.Operation{
		OperationID: "trace-dns", Method: http.MethodGet, Path: "/v1/trace/dns",
		Summary: "DNS questions and how they are answered, live: one JSON object a line, until the caller goes away",
		Responses: map[string]*huma.Response{"200": {
			Description: "A line is an event; or only lost, how many are missing at this place; or only end, why nothing more comes",
			Content:     map[string]*huma.MediaType{ndjson: {Schema: schema}},
		}},
	}, func(_ context.Context, in *traceDNSInput) (*huma.StreamResponse, error) {
		filter := DNSTraceFilter{Network: in.Network, Name: in.Name, Type: in.Type, Reason: in.Reason, Rcode: in.Rcode}
		if in.Client != "" {
			var err error
			if filter.Client, err = ParseAnyAddressFilter(in.Client); err != nil {
				return nil, huma.Error422UnprocessableEntity(err.Error())
			}
		}
		trace, err := backend.TraceDNS(filter)
		if err != nil {
			return nil, problem(err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			defer trace.Close()
			stream(c, trace, stopping, func(e *DNSEvent, lost uint64, end string) any { return dnsTraceLine{e, lost, end} })
		}}, nil
	})
}

// TraceDNS starts a trace: what happens after its return is seen. ctx ends it, or Close.
func (c *Client) TraceDNS(ctx context.Context, f DNSTraceFilter) (*DNSTraceStream, error) {
	query := url.Values{}
	for key, value := range map[string]string{"network": f.Network, "name": f.Name, "type": f.Type, "reason": f.Reason, "rcode": f.Rcode} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if f.Client.IsValid() {
		query.Set("client", f.Client.String())
	}
	return openStream(ctx, c, "/v1/trace/dns?"+query.Encode(), func(in *json.Decoder) (*DNSEvent, uint64, string, error) {
		var line dnsTraceLine
		err := in.Decode(&line)
		return line.DNSEvent, line.Lost, line.End, err
	})
}
