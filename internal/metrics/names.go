package metrics

// The names of what is measured. They are stable: dashboards and alerts of others have them.
const (
	nameBuildInfo = "labnet_build_info"
	nameProblems  = "labnet_problems"

	nameReloadSuccessful = "labnet_config_last_reload_successful"
	nameReloadTime       = "labnet_config_last_reload_success_timestamp_seconds"

	nameApplySuccess = "labnet_net_last_apply_success"
	nameApplyTime    = "labnet_net_last_apply_timestamp_seconds"
	nameDrift        = "labnet_net_drift_total"
	nameKeepFailures = "labnet_net_keep_failures_total"
	nameResting      = "labnet_net_repairs_resting"
	nameRulePackets  = "labnet_net_rule_packets_total"

	nameDHCPMessages   = "labnet_dhcp_messages_total"
	nameDHCPDecisions  = "labnet_dhcp_decisions_total"
	nameLeases         = "labnet_dhcp_leases"
	namePool           = "labnet_dhcp_pool_addresses"
	namePoolLeased     = "labnet_dhcp_pool_leased_addresses"
	nameCommitTime     = "labnet_dhcp_commit_seconds"
	nameCommitFailures = "labnet_dhcp_commit_failures_total"
	nameCommitted      = "labnet_dhcp_committed_leases_total"

	nameDNSRequests      = "labnet_dns_requests_total"
	nameDNSResponses     = "labnet_dns_responses_total"
	nameDNSDecisions     = "labnet_dns_decisions_total"
	nameUpstreamTime     = "labnet_dns_upstream_seconds"
	nameUpstreamFailures = "labnet_dns_upstream_failures_total"
	nameUpstreamUp       = "labnet_dns_upstream_up"
	nameCacheEntries     = "labnet_dns_cache_entries"
	nameCacheBytes       = "labnet_dns_cache_bytes"
	nameCacheLimit       = "labnet_dns_cache_limit_bytes"
	nameCacheEvictions   = "labnet_dns_cache_evictions_total"
	nameBlockedNames     = "labnet_dns_block_list_names"
	nameBlockListsFailed = "labnet_dns_block_lists_failing"

	nameHookEvents  = "labnet_hook_events_total"
	nameHookWaiting = "labnet_hook_waiting_events"
)

// kind is the type of a metric, as Prometheus calls it.
type kind string

const (
	kindCounter   kind = "counter"
	kindGauge     kind = "gauge"
	kindHistogram kind = "histogram"
)

// metric is what there is to know of a metric.
type metric struct {
	name   string
	kind   kind
	labels []string
	help   string
}

// table is every metric of ours, in the order of the documentation. No label may have values that a guest chooses.
func table() []metric {
	return []metric{
		{nameBuildInfo, kindGauge, []string{"version", "goversion"}, "Always 1; the labels say what runs."},
		{nameProblems, kindGauge, []string{"kind"}, "What labnet status has a person look at."},
		{nameReloadSuccessful, kindGauge, nil, "Whether the configuration file was fine when it was last read: 1, or 0 where an older one is served."},
		{nameReloadTime, kindGauge, nil, "When the configuration that is served was read."},

		{nameApplySuccess, kindGauge, nil, "Whether the host's network could be brought to the configuration the last time: 1 or 0."},
		{nameApplyTime, kindGauge, nil, "When that was tried last."},
		{nameDrift, kindCounter, nil, "Changes to the host's network that were repaired since others had changed it."},
		{nameKeepFailures, kindCounter, nil, "Looks at the host's network, or repairs of it, that failed."},
		{nameResting, kindGauge, nil, "1 while repairs rest, since another program keeps undoing them."},
		{nameRulePackets, kindCounter, []string{"table", "rule"}, "Packets that a rule of labnet's has counted, by nftables family and counter; all but masqueraded were dropped or refused."},

		{nameDHCPMessages, kindCounter, []string{"network", "direction", "type"}, "DHCP messages received (in) and sent (out)."},
		{nameDHCPDecisions, kindCounter, []string{"network", "reason"}, "What became of DHCP messages, by reason code."},
		{nameLeases, kindGauge, []string{"network", "state"}, "Addresses by the state of their lease."},
		{namePool, kindGauge, []string{"network"}, "Addresses in the ranges."},
		{namePoolLeased, kindGauge, []string{"network"}, "Addresses in the ranges with a lease in force."},
		{nameCommitTime, kindHistogram, nil, "How long it took to make a batch of leases durable."},
		{nameCommitFailures, kindCounter, nil, "Batches of leases that could not be made durable."},
		{nameCommitted, kindCounter, nil, "Leases, and ends of leases, that were made durable."},

		{nameDNSRequests, kindCounter, []string{"network", "proto", "type"}, "DNS questions received."},
		{nameDNSResponses, kindCounter, []string{"network", "rcode", "source"}, "DNS answers, by where they came from."},
		{nameDNSDecisions, kindCounter, []string{"reason"}, "What became of DNS questions, by reason code."},
		{nameUpstreamTime, kindHistogram, []string{"upstream"}, "How long answers of an upstream server took."},
		{nameUpstreamFailures, kindCounter, []string{"upstream"}, "Messages to an upstream server that came to nothing."},
		{nameUpstreamUp, kindGauge, []string{"upstream"}, "Whether an upstream server answers: 1 or 0."},
		{nameCacheEntries, kindGauge, nil, "Answers in the DNS cache."},
		{nameCacheBytes, kindGauge, nil, "Memory of the answers in the DNS cache."},
		{nameCacheLimit, kindGauge, nil, "Memory that the answers in the DNS cache may take."},
		{nameCacheEvictions, kindCounter, nil, "Answers that left the DNS cache before their time, for others."},
		{nameBlockedNames, kindGauge, nil, "Names on block lists."},
		{nameBlockListsFailed, kindGauge, nil, "Block lists that can't be read."},

		{nameHookEvents, kindCounter, []string{"hook", "result"}, "Lease events that a hook was told (delivered), was told in vain (failed), or was not told (dropped)."},
		{nameHookWaiting, kindGauge, []string{"hook"}, "Lease events that a hook is still to be told."},
	}
}
