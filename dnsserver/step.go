package dnsserver

import (
	"fmt"
	"net/netip"
	"time"
)

// Step is what one stage of the decision said, in the order in which they are asked.
type Step struct {
	Stage string        // client, local, policy, cache, upstream
	Name  string        // what it was about, with the last dot: the question's name, or what an alias of it leads to
	Says  string        // in words
	After time.Duration // since the question was read

	Reason   string           // the code, where the stage answered
	Network  string           // of the zone that the name is in
	Zone     string           // the local zone, with the last dot
	Label    string           // of the name in a network's domain, where it is right below that
	Addr     netip.Addr       // that a reverse name stands for
	Group    string           // of the upstreams
	Cached   *CachedAnswer    // what the cache has
	Upstream []UpstreamStatus // in the order in which they are asked
}

// CachedAnswer is an answer of an upstream that the cache holds.
type CachedAnswer struct {
	Kind string        // answer, negative or failure
	Age  time.Duration // since it came
	// Left is how long it may still be served; below zero it has expired so long ago.
	Left          time.Duration
	Authenticated bool // AD: the upstream has validated it
}

// The stages, in the order in which they decide.
const (
	stageClient   = "client"
	stageLocal    = "local"
	stagePolicy   = "policy"
	stageCache    = "cache"
	stageUpstream = "upstream"
)

// cachedAnswer is what the cache has in an entry.
func cachedAnswer(e *entry, now moment) *CachedAnswer {
	c := &CachedAnswer{Kind: "answer", Left: time.Duration(e.expires - now), Authenticated: e.ad}
	if e.made != 0 {
		c.Age = time.Duration(now - e.made)
	}
	switch e.kind() {
	case cacheNegative:
		c.Kind = "negative"
	case cacheFailure:
		c.Kind = "failure"
	}
	return c
}

// says is it in words.
func (c *CachedAnswer) says() string {
	what := map[string]string{"answer": "an answer", "negative": "that there is no such name or type", "failure": "a failure"}[c.Kind]
	if c.Authenticated {
		what += ", validated by the upstream,"
	}
	if c.Left <= 0 {
		return fmt.Sprintf("%s that expired %s ago", what, briefly(-c.Left))
	}
	return fmt.Sprintf("%s of %s ago, good for another %s", what, briefly(c.Age), briefly(c.Left))
}

// briefly is a duration for people.
func briefly(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

// plainPort is an address without the port that goes without saying.
func plainPort(addr netip.AddrPort) string {
	if addr.Port() == defaultPort {
		return addr.Addr().String()
	}
	return addr.String()
}
