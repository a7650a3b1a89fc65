package top

import (
	"strings"
	"time"

	"labnet/internal/control"
)

// Rates is what happened between two samples, each per second.
type Rates struct {
	DNS  DNSRates  `json:"dns_per_second"`
	DHCP DHCPRates `json:"dhcp_per_second"`
}

// DNSRates is questions by where their answers came from.
type DNSRates struct {
	All      float64 `json:"all"`
	Local    float64 `json:"local"`    // names of ours
	Cache    float64 `json:"cache"`    // what upstreams said before
	Upstream float64 `json:"upstream"` // what they say now, also that they don't
	Blocked  float64 `json:"blocked"`  // block lists, and names that point inside
	Refused  float64 `json:"refused"`  // whatever isn't answered, or with an error
}

// DHCPRates is messages by what they were answered with.
type DHCPRates struct {
	All    float64 `json:"all"`
	Offers float64 `json:"offers"`
	ACKs   float64 `json:"acks"`
	NAKs   float64 `json:"naks"`
	Others float64 `json:"others"` // what isn't answered, and releases
}

// ratesOf is what happened between two samples; nothing is known of a daemon that was started between them.
func ratesOf(before, after *Sample) (r Rates) {
	span := after.At.Sub(before.At)
	if span <= 0 || !before.Status.Started.Equal(after.Status.Started) {
		return r
	}
	for reason, n := range after.Status.DNS {
		rate := perSecond(before.Status.DNS[reason], n, span)
		if part := r.DNS.part(reason); part != nil {
			*part += rate
			r.DNS.All += rate
		}
	}
	counted := map[string]control.Counters{}
	for _, n := range before.Status.Networks {
		counted[n.Name] = n.DHCP
	}
	for _, n := range after.Status.Networks {
		for reason, count := range n.DHCP {
			if part := r.DHCP.part(reason); part != nil {
				rate := perSecond(counted[n.Name][reason], count, span)
				*part += rate
				r.DHCP.All += rate
			}
		}
	}
	return r
}

// perSecond is the rate of a counter; 0 of one that was set back.
func perSecond(before, after uint64, span time.Duration) float64 {
	if after <= before || span <= 0 {
		return 0
	}
	return float64(after-before) / span.Seconds()
}

// part is where a reason code of DNS counts; nil for what happens beside answers.
func (d *DNSRates) part(reason string) *float64 {
	switch {
	case reason == "truncated", reason == "send_failed", reason == "prefetched", strings.HasPrefix(reason, "reply_"):
		return nil
	case strings.HasPrefix(reason, "local_"), strings.HasSuffix(reason, "_local"), reason == "special_name":
		return &d.Local
	case strings.HasPrefix(reason, "cache_"), strings.HasPrefix(reason, "stale"):
		return &d.Cache
	case strings.HasPrefix(reason, "forwarded"), strings.HasPrefix(reason, "upstream_"), reason == "no_upstream", reason == "chain_too_long":
		return &d.Upstream
	case reason == "blocked", reason == "rebind":
		return &d.Blocked
	}
	return &d.Refused
}

// part is where a reason code of DHCP counts; nil for what happens beside decisions.
func (d *DHCPRates) part(reason string) *float64 {
	switch reason {
	case "probing", "malformed_served", "options_dropped", "send_failed", "receive_failed", "clone_detected", "link_replaced", "address_conflict",
		"conflict_ignored", "probe_skipped", "rogue_server":
		return nil
	}
	switch {
	case strings.HasPrefix(reason, "offer_"):
		return &d.Offers
	case strings.HasPrefix(reason, "ack_"):
		return &d.ACKs
	case strings.HasPrefix(reason, "nak_"):
		return &d.NAKs
	}
	return &d.Others
}
