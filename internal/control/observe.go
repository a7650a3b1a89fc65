package control

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Health is what a probe asks for.
type Health struct {
	State   State     `json:"state" enum:"ready,degraded"`
	Checked time.Time `json:"checked" doc:"When the daemon last looked; it does so every few seconds at most, however often it is asked"`
	Reasons []Reason  `json:"reasons" nullable:"false" doc:"Why it is degraded"`
}

// Reason is a problem with its kind.
type Reason struct {
	Kind string `json:"kind" enum:"host,drift,store,uplink,upstream,block_list,hosts_file,publish,hook,access,metrics" doc:"What it is about; the metric labnet_problems counts by it"`
	Problem
}

// HealthBackend is what the server asks for those who watch the daemon.
type HealthBackend interface {
	// Health says how the daemon is. It is cheap, however often it is asked.
	Health() Health
	// Metrics serves GET /metrics.
	Metrics() http.Handler
}

type healthOutput struct {
	Status int
	Body   Health
}

// registerHealth adds the answer for probes: 200, or 503 where the daemon is degraded.
func registerHealth(api huma.API, backend Backend) {
	huma.Register(api, huma.Operation{
		OperationID: "health", Method: http.MethodGet, Path: "/v1/health",
		Summary: "Whether all is well: 200, or 503 with the reasons",
		Responses: map[string]*huma.Response{
			"503": {Description: "The daemon serves, and something is amiss", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{Ref: "#/components/schemas/Health"}}}},
		},
	}, func(context.Context, *struct{}) (*healthOutput, error) {
		out := &healthOutput{Status: http.StatusOK, Body: backend.Health()}
		if out.Body.State != Ready {
			out.Status = http.StatusServiceUnavailable
		}
		return out, nil
	})
}

// handleMetrics adds what isn't JSON: the metrics, for those who may read, and profiles, for those who may change things. A profile shows what
// the memory holds, and costs time.
func handleMetrics(mux *http.ServeMux, backend Backend, log *slog.Logger) {
	mux.Handle("GET /metrics", backend.Metrics())
	for path, profile := range map[string]http.HandlerFunc{
		"GET /debug/pprof/":        pprof.Index, // also each by its name: heap, goroutine, allocs, block, mutex, threadcreate
		"GET /debug/pprof/profile": pprof.Profile,
		"GET /debug/pprof/trace":   pprof.Trace,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if !mayChange(r.Context()) {
				writeProblem(w, http.StatusForbidden, onlyRoot)
				return
			}
			log.Info("asked over the control socket", "op", "profile", "path", r.URL.Path, "by", who(r.Context()))
			// One that lasts longer than a request may take to come.
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
			profile(w, r)
		})
	}
}
