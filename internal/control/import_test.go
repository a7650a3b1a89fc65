package control

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
)

func many(n int) []ImportLease {
	all := make([]ImportLease, n)
	for i := range all {
		all[i] = ImportLease{Address: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), MAC: "52:54:00:00:00:01", State: "bound"}
	}
	return all
}

// TestImportInParts: what is many comes in several requests, but for a dry run.
func TestImportInParts(t *testing.T) {
	if os.Geteuid() != 0 {
		if _, err := client(t, serve(t, &table{})).ImportLeases(t.Context(), ImportRequest{Network: "lab", Leases: many(1)}); err == nil {
			t.Error("who isn't root imports")
		}
		return
	}
	for _, test := range []struct {
		leases int
		dry    bool
		want   string
	}{
		{0, false, "[0]"},
		{importChunk + 5, false, "[16384 5]"},
		{importChunk + 5, true, "[16389]"},
		{MostImported + 1, true, "[]"},
	} {
		backend, all := &table{}, many(test.leases)
		answer, err := client(t, serve(t, backend)).ImportLeases(t.Context(), ImportRequest{Network: "lab", DryRun: test.dry, Leases: all})
		var sizes []int
		done := 0
		for _, r := range backend.imports {
			if r.Network != "lab" || r.DryRun != test.dry {
				t.Errorf("the daemon is asked for %q, dry: %v", r.Network, r.DryRun)
			}
			for _, l := range r.Leases {
				if l.Address != all[done].Address {
					t.Fatalf("lease %d is %v", done, l.Address)
				}
				done++
			}
			sizes = append(sizes, len(r.Leases))
		}
		if test.leases > MostImported {
			if err == nil || !strings.Contains(err.Error(), "250000 leases") {
				t.Errorf("a dry run of %d: %v", test.leases, err)
			}
		} else if err != nil || len(answer.Results) != test.leases {
			t.Errorf("%d results of %d, %v", len(answer.Results), test.leases, err)
		}
		if got := fmt.Sprint(sizes); got != test.want {
			t.Errorf("%d leases come as %s, want %s", test.leases, got, test.want)
		}
	}
}

// TestImportIsRoots: who may look only is refused before anything is read.
func TestImportIsRoots(t *testing.T) {
	handler := handler(&table{}, "test", slog.New(slog.DiscardHandler), t.Context())
	body := &counter{Reader: strings.NewReader(`{"leases": []}`)}
	for uid, want := range map[uint32]int{0: http.StatusOK, 1000: http.StatusForbidden} {
		ctx := context.WithValue(t.Context(), peerKey{}, peer{pid: os.Getpid(), uid: uid, access: newAccess()})
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://labnet/v1/leases/import", body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		before := body.n
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != want || want == http.StatusForbidden && body.n != before {
			t.Errorf("user %d: %d after %d bytes, want %d: %s", uid, answer.Code, body.n-before, want, answer.Body)
		}
		body.Reader = strings.NewReader(`{"leases": []}`)
	}
}

// counter counts what is read.
type counter struct {
	io.Reader
	n int
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += n
	return n, err
}
