package dnsserver

// reasonTexts says each reason in a few words, for trace and explain. Everybody who shows a reason to people takes the words from here.
var reasonTexts = [reasonCount]string{
	ignored:           "no question at all",
	formatError:       "malformed, or not exactly one question",
	notImplemented:    "an opcode or a type that nobody serves",
	badVersion:        "an EDNS version that nobody speaks",
	refusedClient:     "the client may not ask here",
	refusedTransfer:   "zone transfers are not for guests",
	refusedSigned:     "signed by a key, and none is shared",
	refusedClass:      "not of class IN",
	refusedRecursion:  "not known here, and without RD nobody is asked",
	cookieAsked:       "no question, only a cookie",
	minimalAny:        "ANY gets the least that there is",
	localGateway:      "a name of this host",
	localHost:         "a host of the configuration",
	localFile:         "a hosts file",
	localRecord:       "a record of the configuration",
	localLease:        "a lease",
	localApex:         "the zone itself",
	localNoData:       "a local name, without that type",
	localNXDomain:     "no such local name",
	specialName:       "a special-use name, answered here",
	blocked:           "on a block list, or an alias of such a name",
	rebind:            "an outside name that points inside, without its addresses",
	cacheHit:          "from the cache",
	cacheNegative:     "from the cache: there is no such name or type",
	cacheFailure:      "from the cache: a failure a moment ago",
	forwarded:         "an upstream's answer",
	forwardedNegative: "an upstream's answer: there is no such name or type",
	upstreamTimeout:   "no upstream answered in time",
	upstreamFailure:   "no upstream gave an answer",
	noUpstream:        "there is no upstream to ask",
	staleAnswer:       "from the cache, outdated: no upstream answered",
	limited:           "the client asks for more than its share",
	refusedLoop:       "a question of labnet's own, back from an upstream",
	repeatedQuery:     "the same message waits already",
	busy:              "too many questions are under way",
	chainTooLong:      "a chain of aliases without end",
	recovered:         "a bug of labnet",
	truncated:         "too long for UDP: the client asks by TCP",
	sendFailed:        "the answer couldn't be sent",
	replyIgnored:      "a packet that answers no question of ours",
	replyFragmented:   "an upstream's answer in pieces",
	prefetched:        "fetched again before its end",
}

// text is the reason in words.
func (r reason) text() string { return reasonTexts[r] }

// ReasonText returns a reason's words by its code; "" where there is no such reason.
func ReasonText(code string) string {
	for r, name := range reasonNames {
		if name == code {
			return reasonTexts[r]
		}
	}
	return ""
}

// cached tells the reasons for which no upstream was asked although the name is the outside's.
func (r reason) cached() bool {
	switch r {
	case cacheHit, cacheNegative, cacheFailure, staleAnswer:
		return true
	}
	return false
}
