package control

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"
)

// MostImported is how many leases one request may bring; a dry run needs all of them in one.
const MostImported = 250_000

// importBytes bounds a request, in bytes: MostImported leases of the usual length.
const importBytes = 128 << 20

// ImportBackend is what the server asks about leases of other servers.
type ImportBackend interface {
	// ImportLeases takes over leases that another server gave out. What is reported as done is durable. The error is ErrNotFound for a network that
	// doesn't exist.
	ImportLeases(ctx context.Context, request ImportRequest) (ImportAnswer, error)
}

// ImportRequest is leases that another server gave out.
type ImportRequest struct {
	Network string        `json:"network,omitempty" doc:"The network that all of them are for; absent: by their addresses"`
	DryRun  bool          `json:"dry_run,omitempty" doc:"Only say what would become of them"`
	Leases  []ImportLease `json:"leases" nullable:"false"`
}

// ImportLease is one of them, as it is listed, but for what is for us to say.
type ImportLease struct {
	Address      netip.Addr `json:"address"`
	HardwareType uint8      `json:"hardware_type" doc:"ARP hardware type; 1 is Ethernet"`
	MAC          string     `json:"mac,omitempty"`
	ClientID     string     `json:"client_id,omitempty" doc:"The client identifier (option 61) in hexadecimal with colons; absent: the client sent none"`
	Foreign      bool       `json:"foreign,omitempty" doc:"Of a declined one: a machine that used the address without a lease"`
	Name         string     `json:"name,omitempty" doc:"What the lease was called there"`
	Hostname     string     `json:"hostname,omitempty" doc:"The name that the client asked for"`
	VendorClass  string     `json:"vendor_class,omitempty"`
	State        string     `json:"state" enum:"bound,declined,released,expired"`
	Start        int64      `json:"start,omitempty" doc:"Unix seconds; absent: not known, as last_seen"`
	LastSeen     int64      `json:"last_seen,omitempty"`
	Expires      int64      `json:"expires,omitempty" doc:"Unix seconds; absent: never"`
}

// ImportAnswer says what became of each, in the order of the request.
type ImportAnswer struct {
	Results []ImportResult `json:"results" nullable:"false"`
}

// ImportResult is what became of one lease.
type ImportResult struct {
	Outcome string `json:"outcome" enum:"imported,ended,unchanged,skipped,refused"`
	Network string `json:"network,omitempty"`
	Reason  string `json:"reason,omitempty" doc:"Why it was skipped or refused"`
	Name    string `json:"name,omitempty" doc:"The DNS label that it has"`
	Without string `json:"without,omitempty" doc:"The name that it asked for and didn't get"`
}

// The outcomes of an import.
const (
	OutcomeImported  = "imported"
	OutcomeEnded     = "ended"     // its time was over: its client is kept in mind
	OutcomeUnchanged = "unchanged" // it was here already
	OutcomeSkipped   = "skipped"   // its time was over, and it is of no use here
	OutcomeRefused   = "refused"
)

type importInput struct{ Body ImportRequest }

// registerImport adds the import of leases.
func registerImport(api huma.API, backend ImportBackend, log *slog.Logger) {
	huma.Register(api, huma.Operation{
		OperationID: "import-leases", Method: http.MethodPost, Path: "/v1/leases/import",
		Summary: "Take over leases that another server gave out; what is answered is durable", DefaultStatus: http.StatusOK,
		MaxBodyBytes: importBytes,
		// The schema is for those who read it: to check so many leases by it takes longer than to import them.
		SkipValidateBody: true,
		BodyReadTimeout:  -1, // the server's own counts
		// Before anything is read: only root may make the daemon read so much.
		Middlewares: huma.Middlewares{func(c huma.Context, next func(huma.Context)) {
			if !mayChange(c.Context()) {
				_ = huma.WriteErr(api, c, http.StatusForbidden, onlyRoot)
				return
			}
			next(c)
		}},
	}, changing(log, "import-leases", func(ctx context.Context, in *importInput) (*body[ImportAnswer], error) {
		if len(in.Body.Leases) > MostImported {
			return nil, huma.Error422UnprocessableEntity("too many leases for one request; send them in several")
		}
		answer, err := backend.ImportLeases(ctx, in.Body)
		if err != nil {
			return nil, problem(err)
		}
		return respond(answer), nil
	}))
}
