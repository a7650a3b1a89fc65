package main

import "labnet/internal/migrate/dnsmasqconf"

// importFindings is the JSON of the report of `labnet import dnsmasq`; its fields are stable.
type importFindings struct {
	Written    bool            `json:"written"` // whether the configuration is
	Counts     map[string]int  `json:"counts"`  // by level
	Directives []importFinding `json:"directives"`
}

type importFinding struct {
	File  string   `json:"file"`
	Line  int      `json:"line,omitempty"` // absent where there is none
	Text  string   `json:"text"`
	Level string   `json:"level"` // exact, ignored, approximated or unsupported
	Notes []string `json:"notes"`
}

func jsonReport(result *dnsmasqconf.Result, written bool) importFindings {
	out := importFindings{Written: written, Counts: map[string]int{}, Directives: []importFinding{}}
	for _, level := range dnsmasqconf.Levels() {
		out.Counts[string(level)] = 0
	}
	for _, f := range result.Findings {
		notes := f.Notes
		if notes == nil {
			notes = []string{}
		}
		out.Counts[string(f.Level)]++
		out.Directives = append(out.Directives, importFinding{f.File, f.Line, f.Text, string(f.Level), notes})
	}
	return out
}
