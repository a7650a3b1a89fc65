package leases

import (
	"strconv"
	"strings"
)

// maxLabel is the longest DNS label (RFC 1035 section 2.3.4).
const maxLabel = 63

// maxSuffix bounds the search for a free name of the policy Suffix.
const maxSuffix = 99

// CleanName makes a DNS label of the name that a client sends in option 12 or 81: its first label in lower case, if that is
// 1 to 63 letters, digits and hyphens (RFC 1123 section 2.1), not all digits, with no hyphen at either end.
// Everything else is no name: it is not repaired.
func CleanName(raw string) (string, bool) {
	raw = strings.TrimRight(raw, "\x00") // RFC 2132 section 2: a trailing NUL is not part of it
	label, _, _ := strings.Cut(raw, ".")
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return "", false
	}
	digits, upper := true, false
	for i := range len(label) {
		switch c := label[i]; {
		case '0' <= c && c <= '9':
		case 'a' <= c && c <= 'z', c == '-':
			digits = false
		case 'A' <= c && c <= 'Z':
			digits, upper = false, true
		default:
			return "", false
		}
	}
	if digits {
		return "", false
	}
	if upper {
		label = strings.ToLower(label)
	}
	return label, true
}

// nameRefusal says why a client doesn't get the name that it asks for; it is logged when no lock is held.
type nameRefusal struct {
	reason NameObstacle // "" for none
	label  string
	holder ClientID
	reject bool // the policy says that it is a warning
}

// chooseName returns the name for the lease of s to a's client, which holds the name had now. A reservation's name may be
// another client's still: it must give it up.
func (n *netTable) chooseName(a *ask, s *slot, had string, now int64) (name string, refusal nameRefusal) {
	if a.reservation != nil && a.reservation.Name != "" {
		return a.reservation.Name, nameRefusal{}
	}
	label := a.label
	if a.client.RequestedName == "" {
		label = had
	}
	if label == "" {
		return "", nameRefusal{}
	}
	if _, reserved := n.pool.labels[label]; reserved {
		return "", nameRefusal{reason: NameReserved, label: label}
	}
	if _, reserved := n.pool.labels[had]; n.pool.conflict == Suffix && suffixed(had, label) && !reserved {
		return had, nameRefusal{} // the name stays while the lease lasts
	}
	other := n.holderOf(label, a, s, now)
	if other == nil {
		return label, nameRefusal{}
	}
	refusal = nameRefusal{reason: NameTaken, label: label, holder: other.cur.id()}
	if n.pool.conflict != Suffix {
		return "", refusal
	}
	for i := 2; i <= maxSuffix; i++ {
		try := withSuffix(label, i)
		if _, reserved := n.pool.labels[try]; !reserved && n.holderOf(try, a, s, now) == nil {
			return try, refusal
		}
	}
	return "", refusal
}

// holderOf returns the slot of another client than a's whose running lease has the name. s is the slot that a's client gets.
func (n *netTable) holderOf(name string, a *ask, s *slot, now int64) *slot {
	c := n.names[name]
	if c == nil || c.owner == nil || c.owner == s {
		return nil
	}
	if r := c.owner.cur; r.running(now) && r.name() == name && r.id() != a.client.ID {
		return c.owner
	}
	return nil
}

func withSuffix(label string, i int) string {
	end := "-" + strconv.Itoa(i)
	if len(label)+len(end) > maxLabel {
		label = strings.TrimRight(label[:maxLabel-len(end)], "-")
	}
	return label + end
}

// suffixed reports whether name is one that withSuffix makes of label.
func suffixed(name, label string) bool {
	at := strings.LastIndexByte(name, '-')
	if at < 0 {
		return false
	}
	i, err := strconv.Atoi(name[at+1:])
	return err == nil && i >= 2 && i <= maxSuffix && withSuffix(label, i) == name
}
