package control

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// body is a response with a JSON body.
type body[T any] struct{ Body T }

func respond[T any](v T) *body[T] { return &body[T]{Body: v} }

// respondList is respond for a list, which is never null.
func respondList[T any](v []T) *body[[]T] {
	if v == nil {
		v = []T{}
	}
	return respond(v)
}

// handler is the API's routes. Streams end with stopping.
func handler(backend Backend, version string, log *slog.Logger, stopping context.Context) http.Handler {
	mux := http.NewServeMux()
	config := huma.DefaultConfig("labnet", version)
	// The page at DocsPath would load its scripts from the Internet; the bodies stay free of $schema links.
	config.DocsPath = ""
	config.SchemasPath = ""
	config.CreateHooks = nil
	config.Transformers = []huma.Transformer{withType}
	config.RejectUnknownQueryParameters = true
	api := humago.New(mux, config)

	huma.Register(api, huma.Operation{
		OperationID: "status", Method: http.MethodGet, Path: "/v1/status",
		Summary: "How the daemon and its networks are",
	}, func(ctx context.Context, _ *struct{}) (*body[Status], error) {
		return respond(backend.Status(ctx)), nil
	})

	huma.Register(api, huma.Operation{
		OperationID: "down", Method: http.MethodPost, Path: "/v1/down",
		Summary: "Stop serving, remove everything of labnet's from the host, and end the daemon",
	}, changing(log, "down", func(ctx context.Context, _ *struct{}) (*body[[]Change], error) {
		changes, err := backend.Down(ctx)
		if err != nil {
			return nil, problem(err)
		}
		return respondList(changes), nil
	}))
	registerLeases(api, backend, log, stopping)
	registerImport(api, backend, log)
	registerWatch(api, backend, stopping)
	registerWait(api, backend, stopping)
	registerReservations(api, backend, log, stopping)
	registerTAPs(api, backend, log, stopping)
	registerPorts(api, backend, stopping)
	registerHistory(api, backend, log, stopping)
	registerTrace(api, backend, stopping)
	registerExplain(api, backend)
	registerTraceDNS(api, backend, stopping)
	registerExplainDNS(api, backend)
	registerCache(api, backend, log)
	registerApply(api, backend, log)
	registerUpgrade(api, backend, log)
	registerHealth(api, backend)
	describe(api)
	handleMetrics(mux, backend, log)
	return elsewhere(mux)
}

// onlyRoot is what those hear who may look only.
const onlyRoot = "only root, and members of the groups of api.admins, may do this; run the command with sudo"

// changing lets only those call f who may change things, and logs who did.
func changing[I, O any](log *slog.Logger, op string, f func(context.Context, *I) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) {
		if !mayChange(ctx) {
			return nil, huma.Error403Forbidden(onlyRoot)
		}
		log.Info("asked over the control socket", "op", op, "by", who(ctx))
		return f(ctx, in)
	}
}
