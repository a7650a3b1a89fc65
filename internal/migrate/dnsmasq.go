package migrate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// tooEarly is a time before which nothing in dnsmasq's file ends: where it was built for machines without a clock (HAVE_BROKEN_RTC), it
// writes how long a lease lasts in place of when it ends.
var tooEarly = time.Date(2001, 9, 9, 0, 0, 0, 0, time.UTC).Unix()

// dnsmasq reads dnsmasq.leases: expiry, hardware address, address, name, client identifier; * for none. Leases of DHCPv6 come
// behind a line with duid.
func (s *source) dnsmasq() error {
	for {
		line, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "duid" {
			continue
		}
		l, v6, err := parseDnsmasq(fields)
		switch {
		case v6:
			s.sink.Skipped()
		case err != nil:
			addr := ""
			if l.Addr.IsValid() {
				addr = l.Addr.String()
			}
			s.problem(s.line, addr, err.Error())
		default:
			s.lease(l)
		}
	}
}

func parseDnsmasq(fields []string) (l Lease, v6 bool, err error) {
	if len(fields) != 5 {
		return l, false, fmt.Errorf("want five fields, not %d: expiry, hardware address, address, name, client identifier", len(fields))
	}
	if l.Addr, v6, err = parseIPv4(fields[2]); err != nil {
		return l, v6, fmt.Errorf("%q %w", clip(fields[2]), err)
	}
	l.State = Active
	sec, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return l, false, fmt.Errorf("the expiry %q is no number", clip(fields[0]))
	}
	if sec != 0 {
		if l.Expiry, err = unix(sec); err != nil || sec < tooEarly {
			return l, false, fmt.Errorf("the expiry %d %w; dnsmasq on machines without a clock writes none", sec, errTime)
		}
	}
	if l.HWType, l.HWAddr, err = parseHardware(fields[1]); err != nil {
		return l, false, fmt.Errorf("%q %w", clip(fields[1]), err)
	}
	if fields[3] != "*" {
		l.Name, l.Hostname = fields[3], fields[3]
	}
	if fields[4] != "*" {
		if l.ClientID, err = parseHex(fields[4]); err != nil {
			return l, false, fmt.Errorf("the client identifier %q %w", clip(fields[4]), err)
		}
	}
	return l, false, nil
}

// clip bounds what of a file gets into a message.
func clip(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// writeDnsmasq writes the leases that are in force: the file has no others.
func writeDnsmasq(w *bufio.Writer, leases []Lease) (omitted int, err error) {
	for i := range leases {
		l := &leases[i]
		if l.State != Active {
			omitted++
			continue
		}
		var expiry int64
		if !l.Expiry.IsZero() {
			expiry = l.Expiry.Unix()
		}
		if _, err := fmt.Fprintf(w, "%d %s %s %s %s\n", expiry, hardware(l), l.Addr, orStar(l.Name), orStar(colonHex(l.ClientID))); err != nil {
			return omitted, err
		}
	}
	return omitted, nil
}

func orStar(s string) string {
	if s == "" {
		return "*"
	}
	return s
}
