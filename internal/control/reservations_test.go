package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func (b *table) Reservations(context.Context, string) []Reservation { return b.reserved }

func (b *table) Reserve(_ context.Context, r Reservation) (Reservation, error) {
	if r.MAC == "" && r.ClientID == "" {
		return r, fmt.Errorf("%w: for whom?", ErrInvalid)
	}
	b.reserved = append(b.reserved, r)
	return r, nil
}

func (b *table) Unreserve(_ context.Context, r Reservation) (Reservation, error) {
	for _, one := range b.reserved {
		if one.Network == r.Network && one.MAC == r.MAC && one.ClientID == r.ClientID {
			return one, nil
		}
	}
	return r, fmt.Errorf("%w: nobody's", ErrNotFound)
}

func TestReservations(t *testing.T) {
	if os.Geteuid() != 0 {
		c := client(t, serve(t, &table{}))
		if _, err := c.Reserve(t.Context(), Reservation{MAC: "52:54:00:00:00:01"}); err == nil {
			t.Error("who isn't root reserves")
		}
		return
	}
	c := client(t, serve(t, &table{}))
	full := Reservation{Network: "lab", MAC: "52:54:00:00:00:01", Address: netip.MustParseAddr("10.0.0.5"), Name: "vm1"}
	least := Reservation{Network: "lab", ClientID: "01:02"}
	for _, want := range []Reservation{full, least} {
		got, err := c.Reserve(t.Context(), want)
		if diff := cmp.Diff(want, got, sameAddr); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	if _, err := c.Reserve(t.Context(), Reservation{Name: "x"}); err == nil || err.Error() != "for whom?" {
		t.Errorf("for nobody: %v", err)
	}
	if got, err := c.Reservations(t.Context(), ""); err != nil || len(got) != 2 {
		t.Errorf("the list: %v, %v", got, err)
	}
	for _, want := range []Reservation{full, least} {
		if got, err := c.Unreserve(t.Context(), want); err != nil || got.Name != want.Name {
			t.Errorf("ended: %+v, %v", got, err)
		}
	}
	if _, err := c.Unreserve(t.Context(), Reservation{Network: "dmz", MAC: "52:54:00:00:00:01"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody's: %v", err)
	}
}
