package config

import "fmt"

// QueryFile is where a network's query log goes in place of the log.
type QueryFile struct {
	Path string // absolute; "": to the log
	Size int64  // bytes
	Keep int
}

// The bounds of a query log's file.
const (
	minQueryLog = 64 << 10
	maxQueryLog = 64 << 30
	maxKept     = 1000
)

func queryLogArguments() []argument {
	with := []string{"query_log_file"}
	return []argument{
		{
			name: "query_log_file", kind: directory(), computed: "the log", example: `"/var/log/labnet/queries.log"`,
			doc: "the file that the query log is written to instead, which this turns on. When it is full, a new one begins; `logrotate` may rename it too",
		},
		{
			name: "query_log_size", kind: size(minQueryLog, maxQueryLog), fallback: `"64MiB"`, example: `"1GiB"`, with: with,
			doc: "how large that file gets, 64KiB to 64GiB",
		},
		{
			name: "query_log_keep", kind: integer(0, maxKept), fallback: "4", example: "9", with: with,
			doc: "how many full ones are kept beside it, `FILE.1`, the last, to `FILE.4`",
		},
	}
}

// queryLogOf reads where the questions of a network are written.
func (b *builder) queryLogOf(n *node) (on bool, file QueryFile) {
	on = get[bool](n, "query_log")
	file.Path = get[string](n, "query_log_file")
	if file.Path == "" {
		for _, name := range []string{"query_log_size", "query_log_keep"} {
			if n.has(name) && !n.wrong("query_log_file") {
				b.error(n, n.at(name), fmt.Sprintf("%q is for a query log in a file", name), `Name the file: query_log_file = "/var/log/labnet/queries.log".`)
			}
		}
		return on, file
	}
	file.Size, file.Keep = get[int64](n, "query_log_size"), get[int](n, "query_log_keep")
	if !n.has("query_log") {
		on = true
	} else if !on {
		b.warn(n, n.at("query_log"), "no question is written to the file", "The query log is off. Leave query_log out.", here(n.at("query_log_file"), "the file"))
	}
	return on, file
}

// checkQueryFiles finds networks that write to one file, with other bounds.
func (b *builder) checkQueryFiles() {
	for i, p := range b.networks {
		for _, q := range b.networks[:i] {
			mine, theirs := p.DNS.QueryFile, q.DNS.QueryFile
			if mine.Path != "" && mine.Path == theirs.Path && mine != theirs {
				b.error(p.dns, p.dns.at("query_log_file"), fmt.Sprintf("the query log %q has two sizes", mine.Path),
					"Networks that share a file write the same query_log_size and query_log_keep.", here(q.dns.at("query_log_file"), "network %q", q.Name))
				break
			}
		}
	}
}
