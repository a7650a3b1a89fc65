package control

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHistoryOverTheSocket(t *testing.T) {
	when := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	some := make([]Tenancy, 3000)
	for i := range some {
		some[i] = Tenancy{
			Network: "lab", Address: netip.MustParseAddr("10.0.0.57"), MAC: "52:54:00:00:00:01", ClientID: "mac:52:54:00:00:00:01",
			State: "released", Name: fmt.Sprint("vm", i), Since: when, Until: when.Add(time.Duration(i) * time.Second),
		}
	}
	var asked HistoryQuery
	var failure error
	c := client(t, serve(t, &table{history: func(q HistoryQuery) (iter.Seq2[Tenancy, error], error) {
		asked = q
		if q.Network == "broken" {
			return nil, failure
		}
		return func(yield func(Tenancy, error) bool) {
			for _, one := range some {
				if !yield(one, nil) {
					return
				}
			}
			if failure != nil {
				yield(Tenancy{}, failure)
			}
		}, nil
	}}))
	read := func(q HistoryQuery) (got []Tenancy, err error) {
		for one, err := range c.History(t.Context(), q) {
			if err != nil {
				return got, err
			}
			got = append(got, one)
		}
		return got, nil
	}
	q := HistoryQuery{
		Network: "lab", Addresses: netip.MustParsePrefix("10.0.0.0/24"), Name: "vm*", Client: "52:54",
		Since: when.Add(time.Millisecond), Until: when.Add(time.Hour),
	}
	got, err := read(q)
	if diff := cmp.Diff(some, got, sameAddr); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if diff := cmp.Diff(q, asked, cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
	failure = errors.New("page 7\nis damaged")
	if got, err := read(HistoryQuery{}); err == nil || err.Error() != "page 7 is damaged" {
		t.Errorf("a list that was cut off: %d entries, %v", len(got), err)
	}
	some = nil
	if _, err := read(HistoryQuery{}); err == nil || err.Error() != "page 7 is damaged" {
		t.Errorf("a list that was cut off at once: %v", err)
	}
	if _, err := read(HistoryQuery{Network: "broken"}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("no list: %v", err)
	}
	failure = nil
	if got, err := read(HistoryQuery{}); err != nil || len(got) != 0 {
		t.Errorf("an empty list: %v, %v", got, err)
	}
	get(t, c.path, "/v1/leases/history?at=2030-01-02T03:04:05.5Z&client=mac:52-54", http.StatusOK)
	if !asked.Since.Equal(when) || !asked.Until.Equal(when.Add(time.Second)) || asked.Client != "mac:52:54" {
		t.Errorf("at a time: %+v", asked)
	}
	for _, wrong := range []string{"address=10.0.0", "client=vm1", "since=yesterday", "since=2030-01-02T00:00:00Z&until=2030-01-02T00:00:00Z", "name=" + strings.Repeat("a", 1000)} {
		get(t, c.path, "/v1/leases/history?"+wrong, http.StatusUnprocessableEntity)
	}
}

func TestHistoryMatches(t *testing.T) {
	one := Tenancy{MAC: "52:54:00:00:00:01", ClientID: "ff:00:01", Name: "web1"}
	for _, c := range []struct {
		name string
		q    HistoryQuery
		want bool
	}{
		{"everything", HistoryQuery{}, true},
		{"MAC", HistoryQuery{Client: "52-54-00-00-00-01"}, true},
		{"beginning of the MAC", HistoryQuery{Client: "52:54"}, true},
		{"another MAC", HistoryQuery{Client: "52:55"}, false},
		{"client identifier", HistoryQuery{Client: "FF:00:01"}, true},
		{"beginning of the client identifier", HistoryQuery{Client: "ff:00"}, false},
		{"pattern", HistoryQuery{Client: "*:01"}, true},
		{"pattern of none", HistoryQuery{Client: "*:02"}, false},
		{"name", HistoryQuery{Name: "WEB1"}, true},
		{"beginning of the name", HistoryQuery{Name: "web"}, false},
		{"pattern of the name", HistoryQuery{Name: "web?"}, true},
		{"both", HistoryQuery{Name: "web1", Client: "52:55"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := c.q.Clean()
			if err != nil || q.Match(&one) != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
