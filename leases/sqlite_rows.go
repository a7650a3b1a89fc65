package leases

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// errDropped makes database/sql close a connection.
var errDropped = driver.ErrBadConn

// appendRow appends the columns of l in the order of upsertSQL.
func appendRow(args []any, l *Lease) []any {
	var expiry any
	if !l.Expiry.IsZero() {
		expiry = ceilUnix(l.Expiry)
	}
	var reserved int64
	if l.Reserved {
		reserved = 1
	}
	return append(args, l.Network, l.Addr.String(), l.ID.String(), int64(l.HWType), l.HWAddr.String(), l.Name, l.State.String(),
		floorUnix(l.Start), expiry, floorUnix(l.LastSeen), escape(l.RequestedName), escape(l.VendorClass), reserved)
}

// badRow is a row that is no lease.
type badRow struct {
	network, addr, reason string
}

func readLeases(ctx context.Context, db *sql.DB) (leases []Lease, bad []badRow, err error) {
	// A slice that grows as it is read would be copied a dozen times.
	var count int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM leases").Scan(&count); err != nil {
		return nil, nil, damaged(err)
	}
	leases = make([]Lease, 0, count)
	rows, err := db.QueryContext(ctx, selectSQL)
	if err != nil {
		return nil, nil, damaged(err)
	}
	defer rows.Close()
	var r row
	for rows.Next() {
		err := rows.Scan(&r.network, &r.addr, &r.client, &r.hwType, &r.hwAddr, &r.name, &r.state, &r.start, &r.expiry, &r.seen,
			&r.requestedName, &r.vendor, &r.reserved)
		if err != nil {
			return nil, nil, damaged(err)
		}
		l, err := r.lease()
		if err != nil {
			bad = append(bad, badRow{r.network, r.addr, err.Error()})
			continue
		}
		leases = append(leases, l)
	}
	if err := rows.Err(); err != nil {
		return nil, nil, damaged(err)
	}
	return leases, bad, nil
}

// row is a row of the table leases.
type row struct {
	network, addr, client, hwAddr, name, state, requestedName, vendor string
	hwType, start, seen, reserved                                     int64
	expiry                                                            sql.NullInt64
}

func (r *row) lease() (Lease, error) {
	l := Lease{
		Network: r.network, Name: r.name, HWType: uint8(r.hwType), Reserved: r.reserved != 0,
		Start: time.Unix(r.start, 0).UTC(), LastSeen: time.Unix(r.seen, 0).UTC(),
	}
	if r.expiry.Valid {
		l.Expiry = time.Unix(r.expiry.Int64, 0).UTC()
	}
	var err error
	if l.Addr, err = netip.ParseAddr(r.addr); err != nil {
		return l, fmt.Errorf("addr: %w", err)
	}
	if l.Addr.String() != r.addr || !l.Addr.Is4() {
		return l, fmt.Errorf("addr %q is not an IPv4 address", r.addr)
	}
	if err := l.ID.UnmarshalText([]byte(r.client)); err != nil {
		return l, err
	}
	if l.ID == "" {
		return l, fmt.Errorf("client: %w", errEmpty)
	}
	if r.hwType < 0 || r.hwType > 255 {
		return l, fmt.Errorf("hwtype %d is not one", r.hwType)
	}
	if err := l.HWAddr.UnmarshalText([]byte(r.hwAddr)); err != nil {
		return l, err
	}
	if clean, ok := CleanName(r.name); r.name != "" && (!ok || clean != r.name) {
		return l, fmt.Errorf("name %q is not a lower-case DNS label", r.name)
	}
	if err := l.State.UnmarshalText([]byte(r.state)); err != nil {
		return l, err
	}
	if l.State == Offered {
		return l, fmt.Errorf("state %q is never stored", r.state)
	}
	if l.RequestedName, err = unescape(r.requestedName); err != nil {
		return l, fmt.Errorf("requested_name: %w", err)
	}
	if l.VendorClass, err = unescape(r.vendor); err != nil {
		return l, fmt.Errorf("vendor: %w", err)
	}
	return l, nil
}

// escape makes any bytes readable, and harmless for a terminal.
func escape(s string) string {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted := strconv.QuoteToASCII(s)
			return quoted[1 : len(quoted)-1]
		}
	}
	return s
}

func unescape(s string) (string, error) {
	if !strings.ContainsAny(s, `\"`) {
		return s, nil
	}
	return strconv.Unquote(`"` + s + `"`)
}
