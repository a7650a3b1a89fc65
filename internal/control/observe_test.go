package control

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func (b *table) Health() Health { return b.health }

func (b *table) Metrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "labnet_build_info 1\n") })
}

func TestHealth(t *testing.T) {
	backend := &table{health: Health{State: Ready, Reasons: []Reason{}}}
	path := serve(t, backend)
	if body := get(t, path, "/v1/health", http.StatusOK); !strings.Contains(body, `"reasons":[]`) {
		t.Errorf("ready: %s", body)
	}
	backend.health = Health{
		State: Degraded, Checked: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		Reasons: []Reason{{Kind: "store", Problem: Problem{Summary: "the disk is full", Remedy: "make room"}}},
	}
	var got Health
	if err := json.Unmarshal([]byte(get(t, path, "/v1/health", http.StatusServiceUnavailable)), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(backend.health, got); diff != "" {
		t.Errorf("degraded: -want +got:\n%s", diff)
	}
}

func TestMetricsAreForReaders(t *testing.T) {
	path := serve(t, &table{})
	if body := get(t, path, "/metrics", http.StatusOK); body != "labnet_build_info 1\n" {
		t.Errorf("%q", body)
	}
}

func TestProfilesAreForThoseWhoMayChangeThings(t *testing.T) {
	api := handler(&table{}, "test", slog.New(slog.DiscardHandler), t.Context())
	for uid, want := range map[uint32]int{0: http.StatusOK, 1000: http.StatusForbidden} {
		ctx := context.WithValue(t.Context(), peerKey{}, peer{pid: os.Getpid(), uid: uid, access: newAccess()})
		for _, route := range []string{
			"/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/goroutine?debug=1", "/debug/pprof/trace?seconds=0.01", "/debug/pprof/profile?seconds=1",
		} {
			answer := httptest.NewRecorder()
			api.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, route, nil))
			if answer.Code != want || answer.Body.Len() == 0 {
				t.Errorf("uid %d, %s: %d, %d bytes", uid, route, answer.Code, answer.Body.Len())
			}
		}
	}
}
