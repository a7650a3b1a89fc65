package dnsserver

import (
	"math/bits"
	"sync/atomic"

	"github.com/miekg/dns"
)

// source is where an answer came from, for counters: fewer than reasons.
type source uint8

const (
	fromNobody   source = iota // refused, or the question isn't one, or nobody could be asked
	fromLocal                  // names of this host, special ones too
	fromPolicy                 // withheld or blocked
	fromCache                  // also that there was no answer a moment ago
	fromStale                  // from the cache, after its time
	fromUpstream               // or from waiting for one
	sourceCount
)

var sourceNames = [sourceCount]string{
	fromNobody: "none", fromLocal: "local", fromPolicy: "policy", fromCache: "cache", fromStale: "stale", fromUpstream: "upstream",
}

// source is where the answers with a reason come from.
func (r reason) source() source {
	switch r {
	case localGateway, localHost, localFile, localRecord, localLease, localApex, localNoData, localNXDomain, specialName, minimalAny:
		return fromLocal
	case blocked, rebind:
		return fromPolicy
	case cacheHit, cacheNegative, cacheFailure:
		return fromCache
	case staleAnswer:
		return fromStale
	case forwarded, forwardedNegative, upstreamTimeout, upstreamFailure, chainTooLong:
		return fromUpstream
	}
	return fromNobody
}

// What is counted by itself; the first place is for all others.
var (
	countedTypes = [...]uint16{
		0, dns.TypeA, dns.TypeAAAA, dns.TypePTR, dns.TypeCNAME, dns.TypeMX, dns.TypeNS, dns.TypeSOA, dns.TypeSRV, dns.TypeTXT,
		dns.TypeCAA, dns.TypeNAPTR, dns.TypeDS, dns.TypeDNSKEY, dns.TypeSVCB, dns.TypeHTTPS, dns.TypeANY,
	}
	countedRcodes = [...]int{
		-1, dns.RcodeSuccess, dns.RcodeFormatError, dns.RcodeServerFailure, dns.RcodeNameError, dns.RcodeNotImplemented, dns.RcodeRefused,
		dns.RcodeBadVers, dns.RcodeBadCookie,
	}
)

const (
	typeCount    = len(countedTypes)
	rcodeCount   = len(countedRcodes)
	answerPlaces = int(sourceCount) * rcodeCount
)

// place is where a value is among counted ones; the most frequent are in front.
func place[N comparable](counted []N, value N) int {
	for i, c := range counted {
		if c == value {
			return i
		}
	}
	return 0
}

func answerPlace(why reason, rcode int) int {
	return int(answerRows[why]) + place(countedRcodes[:], rcode)
}

// answerRows are the first places of the answers with each reason.
var answerRows = func() (rows [reasonCount]uint8) {
	for r := range reasonCount {
		rows[r] = uint8(int(r.source()) * rcodeCount)
	}
	return rows
}()

// ledger counts the questions and answers of one reader, whoever counts: mostly that reader, so that no other processor has its memory.
type ledger struct {
	_       [64]byte // other ledgers end here
	asked   [typeCount]atomic.Uint64
	answers [answerPlaces]atomic.Uint64
	_       [64]byte
}

// ask counts a question; a ledger that is nil counts nothing, as for questions that are explained.
func (l *ledger) ask(qtype uint16) {
	if l != nil {
		l.asked[place(countedTypes[:], qtype)].Add(1)
	}
}

func (l *ledger) answer(why reason, rcode int) {
	if l != nil {
		l.answers[answerPlace(why, rcode)].Add(1)
	}
}

// tally counts what fast decides until the end of a batch. The marks say what there is to add then.
type tally struct {
	reasons  [reasonCount]uint32
	asked    [typeCount]uint32
	answers  [answerPlaces]uint32
	byReason uint64
	byType   uint64
	byAnswer uint64
}

// Each place has a bit of its own.
var _ = [1]struct{}{}[int(reasonCount)/64|typeCount/64|answerPlaces/64]

func (t *tally) count(qtype uint16, why reason, rcode int) {
	t.reasons[why]++
	t.byReason |= 1 << why
	kind := place(countedTypes[:], qtype)
	t.asked[kind]++
	t.byType |= 1 << kind
	answer := answerPlace(why, rcode)
	t.answers[answer]++
	t.byAnswer |= 1 << answer
}

// flush adds the tally to the server's counters and a ledger, which may be nil.
func (t *tally) flush(stats *counters, l *ledger) {
	for ; t.byReason != 0; t.byReason &= t.byReason - 1 {
		r := bits.TrailingZeros64(t.byReason)
		stats[r].Add(uint64(t.reasons[r]))
		t.reasons[r] = 0
	}
	for ; t.byType != 0; t.byType &= t.byType - 1 {
		kind := bits.TrailingZeros64(t.byType)
		if l != nil {
			l.asked[kind].Add(uint64(t.asked[kind]))
		}
		t.asked[kind] = 0
	}
	for ; t.byAnswer != 0; t.byAnswer &= t.byAnswer - 1 {
		answer := bits.TrailingZeros64(t.byAnswer)
		if l != nil {
			l.answers[answer].Add(uint64(t.answers[answer]))
		}
		t.answers[answer] = 0
	}
}
