package leases

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// KeptReservation is a reservation that was made while the daemon ran. One of HWAddr and ID is set, and says with Network which one it is.
type KeptReservation struct {
	Network string
	HWAddr  HWAddr
	ID      ClientID
	Name    string     // DNS label, "" for none
	Addr    netip.Addr // invalid: any
	Made    time.Time  // whole seconds
}

// Same reports whether both are for one client of one network: there is one reservation for it at most.
func (r KeptReservation) Same(other KeptReservation) bool {
	return r.Network == other.Network && r.HWAddr == other.HWAddr && r.ID == other.ID
}

const (
	reserveSQL = `INSERT INTO reservations (network, hwaddr, client, name, addr, made) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET name = excluded.name, addr = excluded.addr, made = excluded.made`
	unreserveSQL    = `DELETE FROM reservations WHERE network = ? AND hwaddr = ? AND client = ?`
	reservationsSQL = `SELECT network, hwaddr, client, name, addr, made FROM reservations ORDER BY made, network, hwaddr, client`
)

// Reserve keeps a reservation, in place of the one for the same client; it is durable when Reserve returns nil. One
// that has begun is not interrupted by the end of ctx.
func (s *SQLite) Reserve(ctx context.Context, r KeptReservation) error {
	return s.exec(ctx, reserveSQL, r.row()...)
}

// row is r as the arguments of reserveSQL.
func (r KeptReservation) row() []any {
	addr := ""
	if r.Addr.IsValid() {
		addr = r.Addr.String()
	}
	return []any{r.Network, r.HWAddr.String(), r.ID.String(), r.Name, addr, r.Made.Unix()}
}

// Unreserve ends the reservation for the same client as r; without one nothing happens. It is durable when Unreserve returns nil.
// One that has begun is not interrupted by the end of ctx.
func (s *SQLite) Unreserve(ctx context.Context, r KeptReservation) error {
	return s.exec(ctx, unreserveSQL, r.Network, r.HWAddr.String(), r.ID.String())
}

func (s *SQLite) exec(ctx context.Context, query string, args ...any) error {
	s.lockDatabase()
	defer s.unlockDatabase()
	if err := ctx.Err(); err != nil {
		return err
	}
	// Whoever is told that ctx has ended takes back what he did along with it; the database may have it all the same.
	if _, err := s.db.ExecContext(context.WithoutCancel(ctx), query, args...); err != nil {
		return fmt.Errorf("lease database %s: %w", s.path, inWords(s.path, err))
	}
	return nil
}

// Reservations returns those that are kept, the oldest first. One that can't be understood is left where it is, and reported.
func (s *SQLite) Reservations(ctx context.Context) (kept []KeptReservation, bad []BadRecord, err error) {
	rows, err := s.db.QueryContext(ctx, reservationsSQL)
	if err != nil {
		return nil, nil, fmt.Errorf("lease database %s: %w", s.path, damaged(err))
	}
	defer rows.Close()
	for rows.Next() {
		var hwaddr, client, addr string
		var made int64
		var r KeptReservation
		if err := rows.Scan(&r.Network, &hwaddr, &client, &r.Name, &addr, &made); err != nil {
			return nil, nil, fmt.Errorf("lease database %s: %w", s.path, damaged(err))
		}
		r.Made = time.Unix(made, 0).UTC()
		if err := r.parse(hwaddr, client, addr); err != nil {
			bad = append(bad, BadRecord{Key: fmt.Sprintf("reservation %q %q %q", r.Network, hwaddr, client), Reason: err.Error()})
			continue
		}
		kept = append(kept, r)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, fmt.Errorf("lease database %s: %w", s.path, damaged(err))
	}
	return kept, bad, nil
}

func (r *KeptReservation) parse(hwaddr, client, addr string) (err error) {
	if err := r.HWAddr.UnmarshalText([]byte(hwaddr)); err != nil {
		return err
	}
	if err := r.ID.UnmarshalText([]byte(client)); err != nil {
		return err
	}
	if (r.HWAddr == "") == (r.ID == "") {
		return fmt.Errorf("want one of hwaddr and client")
	}
	if addr != "" {
		if r.Addr, err = netip.ParseAddr(addr); err != nil || !r.Addr.Is4() {
			return fmt.Errorf("addr %q is not an IPv4 address", addr)
		}
	}
	if clean, ok := CleanName(r.Name); r.Name != "" && (!ok || clean != r.Name) {
		return fmt.Errorf("name %q is not a lower-case DNS label", r.Name)
	}
	return nil
}
