package control

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// LeaseEvent is a line of `labnet leases watch`: what has happened to a lease, or something about the stream itself.
type LeaseEvent struct {
	Event  string    `json:"event" enum:"bound,renewed,changed,released,expired,conflict,cleared,resync,listed,synced,gone" doc:"What happened"`
	Seq    uint64    `json:"seq,omitempty" doc:"The event's number; events are numbered one by one from the daemon's start on, also those that a filter hides"`
	Time   time.Time `json:"time,omitzero"`
	Lease  *Lease    `json:"lease,omitempty" doc:"As it is since"`
	Before *Lease    `json:"before,omitempty" doc:"As it was, where there was one at this address"`
	// Of resync:
	Instance string `json:"instance,omitempty" doc:"Which start of the daemon numbers the events"`
	Reason   string `json:"reason,omitempty" enum:"start,lost,restart" doc:"Why what is known is listed anew"`
}

// What LeaseEvents say of the stream itself. The others are the leases' own.
const (
	EventResync = "resync" // what was known counts no more: the leases that there are follow, as listed, then synced
	EventListed = "listed"
	EventSynced = "synced"
	EventGone   = "gone" // the daemon has ended; the client makes it, and asks again until it is back
)

// Why there is a resync.
const (
	ResyncStart   = "start"   // the stream begins
	ResyncLost    = "lost"    // events came faster than they were read
	ResyncRestart = "restart" // the daemon was started anew
)

// LeaseWatch says what is to be watched, and what was seen already.
type LeaseWatch struct {
	Network  string
	Filter   LeaseFilter // lets an event pass if it fits the lease as it is or as it was
	Instance string      // of the last resync; "" for none
	After    uint64      // the last event that was seen of it
}

type watchInput struct {
	Network  string `query:"network" doc:"Only this network's leases"`
	Filter   string `query:"filter" doc:"As for the list; an event passes if the lease fits as it is or as it was"`
	Instance string `query:"instance" doc:"To go on where a stream ended: the instance of its last resync"`
	After    uint64 `query:"after" doc:"and the seq of the last event that was seen"`
}

// registerWatch adds the stream of what happens to leases. It ends when stopping does.
func registerWatch(api huma.API, backend LeasesBackend, stopping context.Context) {
	schema := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[LeaseEvent](), true, "LeaseEvent")
	huma.Register(api, huma.Operation{
		OperationID: "watch-leases", Method: http.MethodGet, Path: "/v1/leases/watch",
		Summary: "What happens to leases, live: one JSON object a line, until the caller goes away",
		Responses: map[string]*huma.Response{"200": {
			Description: "First a resync with the leases that there are, unless the caller goes on where it was",
			Content:     map[string]*huma.MediaType{ndjson: {Schema: schema}},
		}},
	}, func(_ context.Context, in *watchInput) (*huma.StreamResponse, error) {
		w := LeaseWatch{Network: in.Network, Instance: in.Instance, After: in.After}
		var err error
		if w.Filter, err = ParseLeaseFilter(in.Filter); err != nil {
			return nil, huma.Error422UnprocessableEntity(err.Error())
		}
		return &huma.StreamResponse{Body: func(c huma.Context) { watch(c, backend, w, stopping) }}, nil
	})
}

func watch(c huma.Context, backend LeasesBackend, watched LeaseWatch, stopping context.Context) {
	ctx, out, flush, end := startLines(c, stopping)
	defer end()
	if flush() != nil {
		return
	}
	// Why it ends the caller sees by himself: he went away, or the daemon did.
	_ = backend.WatchLeases(ctx, watched, func(e LeaseEvent) error {
		err := out.Encode(e)
		if e.Event == EventListed {
			return err // one of many: the next one that isn't takes them along
		}
		return errors.Join(err, flush())
	})
}
