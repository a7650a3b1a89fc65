package control

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Tenancy is a time in which a client had an address, with one name and one MAC. Where one of these changed, the next tenancy adjoins.
type Tenancy struct {
	Network  string     `json:"network"`
	Address  netip.Addr `json:"address"`
	MAC      string     `json:"mac"`
	ClientID string     `json:"client_id"`
	Name     string     `json:"name" doc:"The DNS label that it had, empty for none"`
	State    string     `json:"state" enum:"bound,released,expired,declined,replaced,changed" doc:"bound, or how it ended: replaced by another client, changed name or MAC"`
	Since    time.Time  `json:"since"`
	Until    time.Time  `json:"until,omitzero" doc:"Absent while it is bound"`
	Expires  time.Time  `json:"expires,omitzero" doc:"Of one that is bound; absent: never"`
}

// HistoryQuery says which tenancies are wanted; the zero value is all.
type HistoryQuery struct {
	Network   string       // "" for all
	Addresses netip.Prefix // invalid: all
	Name      string       // DNS label, may have * and ?; "" for all
	Client    string       // a MAC, its beginning, or a client identifier, may have * and ?; "" for all
	// Since and Until: those that overlap this time. Zero: from the beginning, and up to now.
	Since, Until time.Time
}

// At is q for the second of a moment.
func (q HistoryQuery) At(at time.Time) HistoryQuery {
	q.Since = at.Truncate(time.Second)
	q.Until = q.Since.Add(time.Second)
	return q
}

// Clean checks q, and brings its texts into the form that Match compares.
func (q HistoryQuery) Clean() (HistoryQuery, error) {
	q.Name = strings.ToLower(q.Name)
	q.Client = strings.ToLower(strings.ReplaceAll(q.Client, "-", ":"))
	kind, digits, _ := strings.Cut(q.Client, ":")
	if kind != "mac" && kind != "arp" && !strings.HasPrefix(kind, "hw") {
		digits = q.Client
	}
	switch {
	case strings.Trim(digits, "0123456789abcdef:*?") != "":
		return q, fmt.Errorf("%q is neither a MAC, nor the beginning of one, nor a client identifier: want hexadecimal digits and colons, and * or ?", q.Client)
	case len(q.Client) > maxClientText, len(q.Name) > maxClientText:
		return q, fmt.Errorf("a pattern of more than %d characters is longer than any client identifier or name", maxClientText)
	case !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until):
		return q, fmt.Errorf("it ends before it begins: since %s until %s", q.Since.Format(time.RFC3339), q.Until.Format(time.RFC3339))
	}
	return q, nil
}

// maxClientText is the longest client identifier, 255 bytes, with its kind before it.
const maxClientText = 255*3 + 6

// Match reports whether name and client of t are meant by q, which is clean.
func (q *HistoryQuery) Match(t *Tenancy) bool {
	if q.Name != "" && !wildcard(q.Name, strings.ToLower(t.Name)) {
		return false
	}
	switch {
	case q.Client == "":
		return true
	case strings.ContainsAny(q.Client, "*?"):
		return wildcard(q.Client, t.MAC) || wildcard(q.Client, t.ClientID)
	}
	return strings.HasPrefix(t.MAC, q.Client) || t.ClientID == q.Client
}

// HistoryBackend is what the server asks about the past.
type HistoryBackend interface {
	// History returns who had which address, up to the moment of the call: those that have ended in the order of their ends, then those
	// that are bound in the order of their begin. q is clean. An error ends the sequence.
	History(ctx context.Context, q HistoryQuery) (iter.Seq2[Tenancy, error], error)
}

type historyInput struct {
	Network string    `query:"network" doc:"Only this network's"`
	Address string    `query:"address" doc:"An address or a prefix" example:"10.0.0.57"`
	Name    string    `query:"name" doc:"A DNS label, may have * and ?"`
	Client  string    `query:"client" doc:"A MAC, its beginning, or a client identifier; may have * and ?" example:"52:54:00:12:34:56"`
	Since   time.Time `query:"since" doc:"What ended later"`
	Until   time.Time `query:"until" doc:"What began before"`
	At      time.Time `query:"at" doc:"In place of since and until: what was at this time"`
}

func (in *historyInput) query() (q HistoryQuery, err error) {
	q = HistoryQuery{Network: in.Network, Name: in.Name, Client: in.Client, Since: in.Since, Until: in.Until}
	if in.Address != "" {
		if q.Addresses, err = ParseAddressFilter(in.Address); err != nil {
			return q, err
		}
	}
	if !in.At.IsZero() {
		q = q.At(in.At)
	}
	return q.Clean()
}

// registerHistory adds the list of who had which address.
func registerHistory(api huma.API, backend HistoryBackend, log *slog.Logger, stopping context.Context) {
	huma.Register(api, huma.Operation{
		OperationID: "lease-history", Method: http.MethodGet, Path: "/v1/leases/history",
		Summary:   "Who had which address: what has ended in the order of the ends, then what is bound in the order of the begins",
		Responses: listResponse[Tenancy](api, "Tenancies"),
	}, func(ctx context.Context, in *historyInput) (*huma.StreamResponse, error) {
		q, err := in.query()
		if err != nil {
			return nil, huma.Error422UnprocessableEntity(err.Error())
		}
		all, err := backend.History(ctx, q)
		if err != nil {
			return nil, problem(err)
		}
		return &huma.StreamResponse{Body: func(c huma.Context) { streamHistory(c, all, log, stopping) }}, nil
	})
}

// errorTrailer says, behind a list that was cut off, why.
const errorTrailer = "Labnet-Error"

// streamHistory is streamList for a list that may end in an error: then it has no end, and the trailer says why.
func streamHistory(c huma.Context, all iter.Seq2[Tenancy, error], log *slog.Logger, stopping context.Context) {
	defer hurryAtTheEnd(c, stopping)()
	_, w := humago.Unwrap(c)
	w.Header().Set("Trailer", errorTrailer)
	w.Header().Set("Content-Type", "application/json")
	// A caller who goes away ends it: there is nobody to be told.
	err := writeFallibleList(w, all)
	if err != nil {
		log.Error("the history of leases can't be read to its end", "err", err)
		w.Header().Set(errorTrailer, strings.ReplaceAll(err.Error(), "\n", " "))
	}
}
