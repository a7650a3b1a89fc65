package migrate

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// writeISC writes dhcpd.leases. dhcpd wants a file that it can append to.
func writeISC(w *bufio.Writer, leases []Lease) (omitted int, err error) {
	if _, err := w.WriteString("# Leases as labnet had them, for ISC dhcpd.\n\n"); err != nil {
		return 0, err
	}
	for i := range leases {
		l := &leases[i]
		state := map[State]string{Active: "active", Released: "free", Expired: "free", Declined: "abandoned"}[l.State]
		if state == "" {
			omitted++
			continue
		}
		if _, err := w.WriteString(l.isc(state)); err != nil {
			return omitted, err
		}
	}
	return omitted, nil
}

func (l *Lease) isc(state string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "lease %s {\n", l.Addr)
	if !l.Start.IsZero() {
		fmt.Fprintf(&b, "  starts %s;\n", iscDate(l.Start))
	}
	fmt.Fprintf(&b, "  ends %s;\n", iscDate(l.Expiry))
	if !l.seen().IsZero() {
		fmt.Fprintf(&b, "  cltt %s;\n", iscDate(l.seen()))
	}
	fmt.Fprintf(&b, "  binding state %s;\n", state)
	if state == "active" {
		b.WriteString("  next binding state free;\n")
	}
	if l.HWAddr != "" && l.State != Declined {
		fmt.Fprintf(&b, "  hardware %s %s;\n", iscHardwareName(l.HWType), colonHex(l.HWAddr))
	}
	if l.ClientID != "" && l.State != Declined {
		fmt.Fprintf(&b, "  uid %s;\n", iscQuote(l.ClientID))
	}
	if l.VendorClass != "" {
		fmt.Fprintf(&b, "  set vendor-class-identifier = %s;\n", iscQuote(l.VendorClass))
	}
	if l.Hostname != "" && l.State == Active {
		fmt.Fprintf(&b, "  client-hostname %s;\n", iscQuote(l.Hostname))
	}
	b.WriteString("}\n")
	return b.String()
}

func iscHardwareName(htype uint8) string {
	for name, v := range iscHardware {
		if v == htype {
			return name
		}
	}
	return "unknown-" + strconv.Itoa(int(htype))
}

// iscDate is a time as dhcpd writes it: the day of the week (0 is Sunday), and all of it in UTC.
func iscDate(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	t = t.UTC()
	return fmt.Sprintf("%d %s", t.Weekday(), t.Format("2006/01/02 15:04:05"))
}

// iscQuote is a string of any bytes.
func iscQuote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%03o", c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
