package dnsserver

import "sync/atomic"

// reason is why a query was answered as it was: the one word that logs, counters and explanations share.
type reason uint8

const (
	ignored           reason = iota // no query at all: a response, or under 12 bytes
	formatError                     // malformed, or not exactly one question
	notImplemented                  // an opcode other than QUERY
	badVersion                      // EDNS above version 0
	refusedClient                   // the client may not ask here
	refusedTransfer                 // AXFR, IXFR
	refusedSigned                   // TSIG: no keys are shared with anyone
	refusedClass                    // not class IN
	refusedRecursion                // not known here, and without RD nobody is asked
	cookieAsked                     // no question, only a cookie: RFC 7873 section 5.4
	minimalAny                      // ANY, RFC 8482
	localGateway                    // the gateway's own names and addresses
	localHost                       // a host of the configuration
	localFile                       // a hosts file
	localRecord                     // a record of the configuration
	localLease                      // a lease
	localApex                       // SOA or NS of a local zone
	localNoData                     // a local name without that type
	localNXDomain                   // no such local name
	specialName                     // RFC 6761 and its kin
	blocked                         // a name of the outside that is on a block list, or leads to one
	rebind                          // a name of the outside that points inside: its addresses are withheld
	cacheHit                        // from the cache
	cacheNegative                   // from the cache: no such name or type
	cacheFailure                    // from the cache: the last failure, RFC 9520
	forwarded                       // from an upstream
	forwardedNegative               // from an upstream: no such name or type
	upstreamTimeout                 // no upstream answered in time
	upstreamFailure                 // upstreams answered, none with an answer
	noUpstream                      // nobody to ask
	staleAnswer                     // upstreams don't answer, but did lately, RFC 8767
	limited                         // the client asks for more than its share
	refusedLoop                     // our own question, back from an upstream
	repeatedQuery                   // the very same message waits already; one answer is enough
	busy                            // a bound on what is under way is reached
	chainTooLong                    // a CNAME chain above the bound, or a loop
	recovered                       // a bug: a panic was caught
	truncated                       // event: an answer that didn't fit, sent with TC
	sendFailed                      // event: the kernel didn't take an answer
	replyIgnored                    // event: an upstream's packet that doesn't answer the question asked
	replyFragmented                 // event: an upstream's answer that came in pieces
	prefetched                      // event: an answer that is wanted was fetched again before its end
	reasonCount
)

var reasonNames = [reasonCount]string{
	ignored: "ignored", formatError: "format_error", notImplemented: "not_implemented", badVersion: "bad_version",
	refusedClient: "refused_client", refusedTransfer: "refused_transfer", refusedSigned: "refused_signed",
	refusedClass: "refused_class", refusedRecursion: "refused_recursion",
	cookieAsked: "cookie_asked", minimalAny: "minimal_any", localGateway: "local_gateway", localHost: "local_host", localFile: "local_file",
	localRecord: "local_record", localLease: "local_lease", localApex: "local_apex", localNoData: "nodata_local",
	localNXDomain: "nxdomain_local", specialName: "special_name", blocked: "blocked", rebind: "rebind", cacheHit: "cache_hit", cacheNegative: "cache_negative",
	cacheFailure: "cache_failure", forwarded: "forwarded", forwardedNegative: "forwarded_negative",
	upstreamTimeout: "upstream_timeout", upstreamFailure: "upstream_failure", noUpstream: "no_upstream", busy: "busy",
	chainTooLong: "chain_too_long", recovered: "panic_recovered", truncated: "truncated", sendFailed: "send_failed",
	replyIgnored: "reply_ignored", repeatedQuery: "repeated", staleAnswer: "stale", limited: "limited", refusedLoop: "refused_loop",
	replyFragmented: "reply_fragmented", prefetched: "prefetched",
}

func (r reason) String() string { return reasonNames[r] }

// counters counts decisions and events by reason.
type counters [reasonCount]atomic.Uint64

func (c *counters) count(r reason) { c[r].Add(1) }

// Stats returns how often each reason has decided a query since Listen; truncated, send_failed, reply_ignored,
// reply_fragmented and prefetched count events beside that decision. Every reason is there, also at zero. Safe for concurrent use.
func (s *Server) Stats() map[string]uint64 {
	stats := make(map[string]uint64, reasonCount)
	for r := range s.stats {
		stats[reason(r).String()] = s.stats[r].Load()
	}
	return stats
}
