// Package labnet_test holds the rules of the house: what may import what, and what every package must have.
package labnet_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// imports is what each package may import of ours; "*" is everything but commands. A package that isn't here may not exist.
var imports = map[string][]string{
	"netcfg":            {"internal/durable", "internal/portowner"},
	"leases":            {"internal/histogram", "leases/redolog", "leases/sqlitefile"},
	"dnsserver":         {"dnsserver/blocklist", "dnsserver/hostsfile", "dnsserver/querylog", "internal/histogram", "internal/portowner", "internal/succession", "internal/tracer"},
	"dhcpserver":        {"leases", "internal/portowner", "internal/succession", "internal/tracer"},
	"internal/config":   nil,
	"internal/control":  {"internal/succession"},
	"internal/migrate":  nil,
	"internal/hooks":    nil,
	"internal/metrics":  {"internal/histogram", "internal/portowner"},
	"internal/observe":  nil,
	"internal/handover": {"internal/dhcpclient", "internal/durable"},
	"internal/demo":     {"internal/control"},
	"internal/top":      {"internal/control"},
	"internal/doctor":   {"internal/config", "internal/control"},
	"internal/daemon":   {"netcfg", "leases", "dhcpserver", "dnsserver", "internal/config", "internal/control", "internal/dhcpclient", "internal/durable", "internal/handover", "internal/hooks", "internal/metrics", "internal/observe", "internal/portowner", "internal/succession"},
	"cmd/labnet":        {"internal/daemon", "internal/control", "internal/config", "internal/demo", "internal/doctor", "internal/migrate", "internal/migrate/dnsmasqconf", "internal/top"},

	"internal/migrate/dnsmasqconf": {"internal/config"},

	"internal/dhcpclient": nil,
	"internal/histogram":  nil,
	"internal/durable":    nil,
	"internal/portowner":  nil,
	"internal/succession": nil,
	"internal/tracer":     nil,
	"dnsserver/blocklist": nil,
	"dnsserver/hostsfile": nil,
	"dnsserver/querylog":  nil,
	"leases/redolog":      nil,
	"leases/sqlitefile":   nil,

	"bench/stage":          nil,
	"bench/report":         nil,
	"bench/dhcp":           {"bench/dhcp/generator", "bench/stage", "bench/report"},
	"bench/dhcp/generator": nil,
	"bench/nat":            {"bench/stage", "bench/report"},
	"bench/dns":            {"bench/dns/answerer", "bench/dns/batch", "bench/dns/generator", "bench/stage", "bench/report"},
	"bench/dns/answerer":   {"bench/dns/batch"},
	"bench/dns/batch":      nil,
	"bench/dns/generator":  {"bench/dns/answerer", "bench/dns/batch"},

	"internal/nettest":          nil,
	"internal/nettest/hostdump": {"internal/nettest"},
	"internal/e2e":              {"bench/dhcp/generator", "bench/dns/generator"}, // crowds of clients
}

// forTests may be imported by every test, and by nothing else.
var forTests = []string{"internal/nettest", "internal/nettest/hostdump"}

type source struct {
	dir, name string
	test      bool
	imports   []string // of ours, without the module's name
	doc       string
}

func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || entry.Name() == ".git") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		s := source{dir: filepath.ToSlash(filepath.Dir(name)), name: name, test: strings.HasSuffix(name, "_test.go"), doc: file.Doc.Text()}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if own, ok := strings.CutPrefix(imported, "labnet/"); ok {
				s.imports = append(s.imports, own)
			}
		}
		out = append(out, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < len(imports) {
		t.Fatalf("only %d files found: not the whole tree", len(out))
	}
	return out
}

func TestImportsFollowTheHouse(t *testing.T) {
	for _, s := range sources(t) {
		allowed, known := imports[s.dir]
		if !known {
			if s.dir != "." {
				t.Errorf("%s: %s is not a room of the house; add it to the table with what it may import, or find the right room", s.name, s.dir)
			}
			continue
		}
		for _, imported := range s.imports {
			if slices.Contains(allowed, imported) || s.test && (slices.Contains(forTests, imported) || imported == s.dir) {
				continue
			}
			t.Errorf("%s imports %s, which %s may not", s.name, imported, s.dir)
		}
	}
}

func TestPackagesSayWhatTheyDo(t *testing.T) {
	docs := map[string]string{}
	for _, s := range sources(t) {
		if s.dir != "." && (!s.test || s.dir == "internal/e2e") {
			docs[s.dir] += s.doc
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(docs)) {
		want := "Package " + path.Base(dir) + " "
		if strings.HasPrefix(dir, "cmd/") {
			want = "Command " + path.Base(dir) + " "
		}
		if !strings.HasPrefix(docs[dir], want) {
			t.Errorf("%s: the package's documentation doesn't begin with %q", dir, want)
		}
	}
}
