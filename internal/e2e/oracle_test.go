package e2e

import (
	bigend "encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"labnet/internal/nettest"
)

// seen is what is compared of an answer, by the name that docs/dns-differences.md has for it.
type seen map[string]string

var seenFields = []string{"rcode", "flags", "question", "answer", "authority", "edns"}

// ask sends a question and says what came back.
func ask(conn net.Conn, q oracleQuestion) seen {
	raw, err := exchange(conn, q)
	if err != nil {
		return seen{"rcode": "silence"}
	}
	m := new(dns.Msg)
	if err := m.Unpack(raw); err != nil {
		return seen{"rcode": "unreadable: " + err.Error()}
	}
	s := seen{"rcode": dns.RcodeToString[m.Rcode], "question": "kept", "edns": "none"}
	if opt := m.IsEdns0(); opt != nil {
		s["edns"] = fmt.Sprintf("version %d", opt.Version())
		if opt.Do() {
			s["edns"] += " do"
		}
	}
	if len(m.Question) == 0 {
		s["question"] = "left out"
	}
	if asked := new(dns.Msg); asked.Unpack(q.wire) == nil && len(asked.Question) == 1 && len(m.Question) == 1 && asked.Question[0] != m.Question[0] {
		s["question"] = "changed"
	}
	var flags []string
	for _, f := range []struct {
		name string
		set  bool
	}{{"aa", m.Authoritative}, {"tc", m.Truncated}, {"rd", m.RecursionDesired}, {"ra", m.RecursionAvailable}, {"z", m.Zero}, {"ad", m.AuthenticatedData}, {"cd", m.CheckingDisabled}} {
		if f.set {
			flags = append(flags, f.name)
		}
	}
	s["flags"] = strings.Join(flags, " ")
	s["answer"], s["authority"] = plainly(m.Answer), plainly(m.Ns)
	return s
}

// plainly writes records without TTL and serial, which depend on when they are asked for, in one order.
func plainly(records []dns.RR) string {
	var lines []string
	for _, rr := range records {
		rr.Header().Ttl = 0
		if soa, ok := rr.(*dns.SOA); ok {
			soa.Serial = 0
		}
		lines = append(lines, strings.ToLower(strings.Join(strings.Fields(rr.String()), " ")))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

// answerWithin is how long an answer is waited for.
const answerWithin = 10 * time.Second

func exchange(conn net.Conn, q oracleQuestion) ([]byte, error) {
	_ = conn.SetDeadline(time.Now().Add(answerWithin))
	if !q.tcp {
		if _, err := conn.Write(q.wire); err != nil {
			return nil, err
		}
		buffer := make([]byte, 65535)
		n, err := conn.Read(buffer)
		return buffer[:n], err
	}
	if _, err := conn.Write(append(bigend.BigEndian.AppendUint16(nil, uint16(len(q.wire))), q.wire...)); err != nil {
		return nil, err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	raw := make([]byte, bigend.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(conn, raw)
	return raw, err
}

// askEverybody asks one question after the other, since answers depend on what was asked before; but the odd ones, some of which nobody
// answers, all at once.
func askEverybody(t *testing.T, peers []oraclePeer, questions []oracleQuestion) (answers [][]seen) {
	t.Helper()
	var asking sync.WaitGroup
	for _, q := range questions {
		all := make([]seen, len(peers))
		answers = append(answers, all)
		network := map[bool]string{true: "tcp", false: "udp"}[q.tcp]
		for i, p := range peers {
			conn := dial(t, p.from, network, p.at)
			asking.Go(func() {
				defer conn.Close()
				all[i] = ask(conn, q)
			})
		}
		if !q.odd {
			asking.Wait()
		}
	}
	asking.Wait()
	return answers
}

// TestOracle asks labnet and three others the same questions; each difference is one that docs/dns-differences.md gives a reason for.
func TestOracle(t *testing.T) {
	nettest.NeedRoot(t)
	peers := startOracle(t)
	listed := readDifferences(t)
	questions := oracleQuestions()
	differences := 0
	for i, answers := range askEverybody(t, peers, questions) {
		q := questions[i]
		for i, p := range peers[1:] {
			for _, field := range seenFields {
				ours, theirs := answers[0][field], answers[i+1][field]
				if ours == theirs {
					continue
				}
				// What else is in an answer follows from its RCODE.
				if field != "rcode" && answers[0]["rcode"] != answers[i+1]["rcode"] {
					continue
				}
				differences++
				if !listed.explain(q.id, field, p.name) {
					t.Errorf("%s: %s: %s:\n  labnet %q\n  theirs %q", q.id, p.name, field, ours, theirs)
				}
			}
		}
	}
	t.Logf("%d questions, %d differences", len(questions), differences)
	for _, gone := range listed.unused() {
		t.Errorf("docs/dns-differences.md has a difference that isn't there: %s", gone)
	}
}
