package migrate

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// States of Kea's column state.
const (
	keaDefault   = "0"
	keaDeclined  = "1"
	keaReclaimed = "2" // expired, and kept for its client
)

// keaColumns are those of Kea 2.2, which later versions read, too.
const keaColumns = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context"

// kea reads the CSV of Kea's memfile back end for DHCPv4, by the names of its columns.
func (s *source) kea() error {
	header, err := s.next()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	columns := map[string]int{}
	for i, name := range strings.Split(header, ",") {
		columns[strings.TrimSpace(name)] = i
	}
	if _, v6 := columns["duid"]; v6 {
		return fmt.Errorf("%w: it is Kea's file for DHCPv6; that for DHCPv4 is leases4.csv", ErrFormat)
	}
	for _, name := range []string{"address", "hwaddr", "client_id", "valid_lifetime", "expire"} {
		if _, ok := columns[name]; !ok {
			return fmt.Errorf("%w: its first line names no column %s, as Kea's do", ErrFormat, name)
		}
	}
	for {
		line, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.TrimSpace(line) == "" {
			continue
		}
		fields := strings.Split(line, ",")
		get := func(column string) string {
			if i, ok := columns[column]; ok && i < len(fields) {
				return keaUnescape(fields[i])
			}
			return ""
		}
		if len(fields) < len(columns) && get("expire") == "" {
			s.problem(s.line, clip(get("address")), fmt.Sprintf("want %d columns, not %d", len(columns), len(fields)))
			continue
		}
		l, err := parseKea(get)
		if err != nil {
			s.problem(s.line, clip(get("address")), err.Error())
			continue
		}
		s.lease(l)
	}
}

func parseKea(get func(column string) string) (l Lease, err error) {
	if l.Addr, _, err = parseIPv4(get("address")); err != nil {
		return l, fmt.Errorf("%q %w", clip(get("address")), err)
	}
	valid, err := strconv.ParseUint(get("valid_lifetime"), 10, 32)
	if err != nil {
		return l, fmt.Errorf("valid_lifetime %q is no number of seconds", clip(get("valid_lifetime")))
	}
	if valid == 0 {
		l.State = Removed
		return l, nil
	}
	expire, err := strconv.ParseInt(get("expire"), 10, 64)
	if err != nil {
		return l, fmt.Errorf("expire %q is no time", clip(get("expire")))
	}
	if l.Seen, err = unix(expire - int64(valid)); err != nil {
		return l, fmt.Errorf("expire less valid_lifetime, %d, %w", expire-int64(valid), err)
	}
	if valid != infinite {
		if l.Expiry, err = unix(expire); err != nil {
			return l, fmt.Errorf("expire %d %w", expire, err)
		}
	}
	l.HWType = 1
	if l.HWAddr, err = parseHex(get("hwaddr")); err != nil || len(l.HWAddr) > maxHW {
		return l, fmt.Errorf("%q %w", clip(get("hwaddr")), errHW)
	}
	if l.ClientID, err = parseHex(get("client_id")); err != nil {
		return l, fmt.Errorf("the client identifier %q %w", clip(get("client_id")), err)
	}
	l.Hostname = strings.TrimSuffix(get("hostname"), ".")
	l.Name = l.Hostname
	switch get("state") {
	case "", keaDefault:
		l.State = Active
	case keaDeclined:
		l.State = Declined
	case keaReclaimed:
		l.State = Expired
	default:
		return l, fmt.Errorf("state %q is unknown", clip(get("state")))
	}
	return l, nil
}

// keaUnescape turns &#x2c into a comma: what would break the CSV is written as the number of its byte.
func keaUnescape(s string) string {
	if !strings.Contains(s, "&#x") {
		return s
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "&#x")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		s = after
		if len(after) >= 2 {
			if b, err := hex.DecodeString(after[:2]); err == nil {
				out.WriteByte(b[0])
				s = after[2:]
				continue
			}
		}
		out.WriteString("&#x")
	}
}

func keaEscape(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ',' || c < ' ' || c == '&' && strings.HasPrefix(s[i:], "&#x"):
			fmt.Fprintf(&out, "&#x%02x", c)
		default:
			out.WriteByte(c)
		}
	}
	return out.String()
}

// writeKea writes a memfile for Kea 2.2 and later. subnet is the identifier of Kea's subnet for each lease.
func writeKea(w *bufio.Writer, leases []Lease, subnet func(*Lease) uint32) (omitted int, err error) {
	if _, err := w.WriteString(keaColumns + "\n"); err != nil {
		return 0, err
	}
	for i := range leases {
		l := &leases[i]
		seen := max(l.seen().Unix(), firstTime)
		valid, expiry, state := int64(infinite), seen+infinite, keaDefault
		if !l.Expiry.IsZero() {
			expiry = l.Expiry.Unix()
			valid = max(1, min(expiry-seen, infinite-1))
		}
		hw, id, name := colonHex(l.HWAddr), colonHex(l.ClientID), keaEscape(l.Name)
		switch l.State {
		case Expired, Released:
			state, name = keaReclaimed, ""
		case Declined:
			state, hw, id, name = keaDeclined, "", "", "" // as Kea writes them: whose fault it was counts no more
		}
		if len(l.ClientID) < 2 {
			id = "" // RFC 2132 section 9.14: two bytes at least; Kea reads none that is shorter
		}
		if l.State == Removed || l.HWType != 1 && l.State != Declined || state != keaDeclined && hw == "" && id == "" {
			omitted++
			continue
		}
		if _, err := fmt.Fprintf(w, "%s,%s,%s,%d,%d,%d,0,0,%s,%s,\n", l.Addr, hw, id, valid, expiry, subnet(l), name, state); err != nil {
			return omitted, err
		}
	}
	return omitted, nil
}

// seen is when the client was heard of last, as far as that is known.
func (l *Lease) seen() time.Time {
	if l.Seen.IsZero() {
		return l.Start
	}
	return l.Seen
}
