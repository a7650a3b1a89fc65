package migrate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxStatement is how many tokens of a statement are kept: no statement that we read has more.
const maxStatement = 16

// iscHardware are the words for ARP hardware types; others are unknown-N.
var iscHardware = map[string]uint8{"ethernet": 1, "token-ring": 6, "fddi": 8, "infiniband": 32}

// iscStates are the binding states. Those of failover that aren't here (free for one of two servers) are nobody's.
var iscStates = map[string]State{
	"active": Active, "bootp": Active, "released": Released, "expired": Expired, "free": Expired, "backup": Expired, "reset": Expired,
	"abandoned": Declined,
}

// broken says whether err is about the text; otherwise it is the reader's.
func broken(err error) bool { return errors.Is(err, errString) || errors.Is(err, errToken) }

// isc reads dhcpd.leases: declarations of leases, each of which replaces the earlier ones of its address, among declarations of other
// things.
func (s *source) isc() error {
	x := &lexer{s: s}
	for {
		t, err := x.next()
		if broken(err) {
			s.problem(t.line, "", err.Error())
			continue
		}
		if err != nil || t.kind == 0 {
			return err
		}
		if t.kind == 'w' && strings.EqualFold(t.text, "lease") && x.peek().kind == 'w' {
			err = s.iscLease(x, t.line)
		} else {
			var block bool
			if block, err = x.skip(t); block {
				s.sink.Skipped() // a host, a peer of failover, DHCPv6
			}
		}
		if broken(err) {
			s.problem(s.line+1, "", err.Error())
			err = nil
		}
		if err != nil {
			return err
		}
	}
}

// skip reads to the end of the statement that t begins: its semicolon, or the brace that closes its block.
func (x *lexer) skip(t token) (block bool, err error) {
	depth := 0
	for {
		switch t.kind {
		case 0:
			return block, nil
		case ';':
			if depth == 0 {
				return false, nil
			}
		case '{':
			depth, block = depth+1, true
		case '}':
			if depth--; depth <= 0 {
				return block, nil
			}
		}
		if t, err = x.next(); err != nil && !broken(err) {
			return block, err
		}
	}
}

// statement reads up to its end: its semicolon or its block, which is left out, or what ends all around it, a brace, the end of the
// file, or another lease that begins: then end is { with its address.
func (x *lexer) statement() (words []token, end token, err error) {
	var bad error
	var last, before token
	for {
		t, err := x.next()
		switch {
		case broken(err):
			bad = err
			continue
		case err != nil:
			return nil, t, err
		}
		switch t.kind {
		case 0, '}', ';':
			return words, t, bad
		case '{':
			if _, _, err := parseIPv4(last.text); err == nil && before.text == "lease" {
				return words, token{kind: '{', text: last.text, line: before.line}, bad
			}
			if _, err := x.skip(t); err != nil {
				return nil, t, err
			}
			return words, token{kind: ';', line: t.line}, bad
		}
		last, before = t, last
		if len(words) < maxStatement {
			words = append(words, t)
		}
	}
}

// iscLease reads a declaration behind its first word.
func (s *source) iscLease(x *lexer, line int) error {
	addr, err := x.next()
	if err != nil {
		return err
	}
	for {
		open, err := x.next()
		if err != nil {
			return err
		}
		if open.kind != '{' {
			s.problem(line, clip(addr.text), "a lease without a block")
			_, err := x.skip(open)
			return err
		}
		again, err := s.iscBlock(x, addr, line)
		if again == nil || err != nil {
			return err
		}
		// Its writer was interrupted, and began anew.
		addr, line = *again, again.line
		x.peeked, x.pending = &token{kind: '{', line: again.line}, nil
	}
}

// iscBlock reads a declaration behind its brace. again is the address of another one that begins in the middle of it.
func (s *source) iscBlock(x *lexer, addr token, line int) (again *token, err error) {
	l := Lease{Line: line, HWType: 1}
	var wrong error
	l.Addr, _, wrong = parseIPv4(addr.text)
	if wrong != nil {
		wrong = fmt.Errorf("%q %w", clip(addr.text), wrong)
	}
	for {
		words, end, err := x.statement()
		if err != nil && !broken(err) {
			return nil, err
		}
		if err == nil && len(words) > 0 && end.kind == ';' {
			err = l.iscStatement(words)
		}
		if err != nil && wrong == nil {
			wrong = err
		}
		switch end.kind {
		case 0:
			s.problem(line, clip(addr.text), "the file ends in the middle of the lease")
			return nil, nil
		case '{':
			s.problem(line, clip(addr.text), "another lease begins in the middle of it")
			return &end, nil
		case '}':
			if wrong != nil {
				s.problem(line, clip(addr.text), wrong.Error())
				return nil, nil
			}
			if l.State == 0 {
				l.State = Active // before version 3 they had no state
			}
			s.lease(l)
			return nil, nil
		}
	}
}

// iscStatement reads one statement of a lease. What it doesn't know doesn't matter.
func (l *Lease) iscStatement(words []token) (err error) {
	arg := ""
	if len(words) > 1 {
		arg = words[1].text
	}
	switch words[0].text {
	case "starts":
		l.Start, err = iscTime(words[1:])
	case "cltt":
		l.Seen, err = iscTime(words[1:])
	case "ends":
		l.Expiry, err = iscTime(words[1:])
	case "abandoned":
		l.State = Declined
	case "binding":
		if len(words) != 3 || arg != "state" {
			return errors.New("binding without a state")
		}
		state, ok := iscStates[words[2].text]
		if !ok {
			return fmt.Errorf("binding state %q is unknown", clip(words[2].text))
		}
		l.State = state
	case "hardware":
		err = l.iscHardware(words)
	case "uid":
		l.ClientID, err = iscData(words[1:])
	case "client-hostname":
		l.Hostname, err = iscData(words[1:])
		l.Name = l.Hostname
	case "set":
		if arg == "vendor-class-identifier" && len(words) == 4 && words[2].kind == '=' {
			l.VendorClass, err = iscData(words[3:])
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", words[0].text, err)
	}
	return nil
}

func (l *Lease) iscHardware(words []token) error {
	if len(words) < 2 {
		return errHW
	}
	htype, ok := iscHardware[words[1].text]
	if number, unknown := strings.CutPrefix(words[1].text, "unknown-"); unknown {
		v, err := strconv.ParseUint(number, 10, 8)
		htype, ok = uint8(v), err == nil
	}
	if !ok {
		return fmt.Errorf("hardware type %q is unknown", clip(words[1].text))
	}
	l.HWType = htype
	if len(words) == 2 {
		return nil // as for a client without an address of its own
	}
	var err error
	if l.HWAddr, err = parseHex(words[2].text); err != nil || len(l.HWAddr) > maxHW || len(words) > 3 {
		return fmt.Errorf("%q %w", clip(words[2].text), errHW)
	}
	return nil
}

// iscData reads bytes: a string, or hexadecimal with colons.
func iscData(words []token) (string, error) {
	if len(words) != 1 {
		return "", errHex
	}
	if words[0].kind == 's' {
		return words[0].text, nil
	}
	return parseHex(words[0].text)
}

// iscTime reads a time: never, epoch and seconds, or the day of the week, date and time in UTC. The zero time is never.
func iscTime(words []token) (time.Time, error) {
	switch {
	case len(words) == 1 && words[0].text == "never":
		return time.Time{}, nil
	case len(words) == 2 && words[0].text == "epoch":
		sec, err := strconv.ParseInt(words[1].text, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q is no time", clip(words[1].text))
		}
		return unix(sec)
	case len(words) == 3:
		t, err := time.Parse("2006/1/2 15:4:5", words[1].text+" "+words[2].text)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q is no time", clip(words[1].text+" "+words[2].text))
		}
		return unix(t.Unix())
	}
	return time.Time{}, errors.New("no time as dhcpd writes it")
}
