package control

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

type traceInput struct {
	MAC     string `query:"mac" doc:"Only MACs that begin with this, or that match it where it has * or ?" example:"52:54:00"`
	Address string `query:"address" doc:"Only what is about this address, or an address of this prefix" example:"10.0.0.0/28"`
	Network string `query:"network" doc:"Only this network's messages"`
	Reason  string `query:"reason" doc:"Only this reason code"`
}

func (in *traceInput) filter() (f TraceFilter, err error) {
	f.Network, f.Reason = in.Network, in.Reason
	if f.MAC, err = ParseMACPattern(in.MAC); err != nil {
		return f, huma.Error422UnprocessableEntity(err.Error())
	}
	if in.Address != "" {
		if f.Address, err = ParseAddressFilter(in.Address); err != nil {
			return f, huma.Error422UnprocessableEntity(err.Error())
		}
	}
	return f, nil
}

// registerTrace adds the stream of events. It ends, by a line that says so, when stopping does.
func registerTrace(api huma.API, backend Backend, stopping context.Context) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[traceLine](), true, "TraceLine")
	huma.Register(api, huma.Operation{
		OperationID: "trace-dhcp", Method: http.MethodGet, Path: "/v1/trace/dhcp",
		Summary: "DHCP messages and what becomes of them, live: one JSON object a line, until the caller goes away",
		Responses: map[string]*huma.Response{"200": {
			Description: "A line is an event; or only lost, how many are missing at this place; or only end, why nothing more comes",
			Content:     map[string]*huma.MediaType{ndjson: {Schema: schema}},
		}},
	}, func(_ context.Context, in *traceInput) (*huma.StreamResponse, error) {
		filter, err := in.filter()
		if err != nil {
			return nil, err
		}
		trace, err := backend.Trace(filter)
		if err != nil {
			return nil, problem(err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) {
			defer trace.Close()
			stream(c, trace, stopping, func(e *TraceEvent, lost uint64, end string) any { return traceLine{e, lost, end} })
		}}, nil
	})
}

// stream writes what trace gives until the caller goes away, or stopping ends. line makes a line of an event, or of the count of lost ones, or the
// end.
func stream[E any](c huma.Context, trace Subscription[E], stopping context.Context, line func(e *E, lost uint64, end string) any) {
	ctx, out, flush, end := startLines(c, stopping)
	defer end()
	for {
		if flush() != nil {
			return
		}
		event, lost, err := trace.Next(ctx)
		switch {
		case err != nil && stopping.Err() != nil:
			_ = out.Encode(line(nil, 0, "the daemon is stopping"))
			return
		case err != nil:
			return // the caller is gone
		}
		next := &event
		if lost > 0 {
			next = nil
		}
		if out.Encode(line(next, lost, "")) != nil {
			return
		}
	}
}
