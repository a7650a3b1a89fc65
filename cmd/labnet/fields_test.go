package main

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"labnet/internal/control"
	"labnet/internal/daemon"
	"labnet/internal/doctor"
	"labnet/internal/top"
)

// documented is what each section of docs/cli.md describes.
var documented = map[string][]reflect.Type{
	"JSON and CSV":                {reflect.TypeFor[control.Lease](), reflect.TypeFor[control.Status]()},
	"leases history":              {reflect.TypeFor[control.Tenancy]()},
	"leases watch":                {reflect.TypeFor[control.LeaseEvent]()},
	"leases wait":                 {reflect.TypeFor[control.WaitResult]()},
	"leases reservations":         {reflect.TypeFor[control.Reservation]()},
	"taps":                        {reflect.TypeFor[control.TAP]()},
	"trace dhcp":                  {reflect.TypeFor[control.TraceEvent]()},
	"trace dns":                   {reflect.TypeFor[control.DNSEvent]()},
	"explain dhcp":                {reflect.TypeFor[control.DHCPExplanation]()},
	"explain dns":                 {reflect.TypeFor[control.DNSExplanation]()},
	"cache":                       {reflect.TypeFor[control.DNSCache](), reflect.TypeFor[control.FlushedDNS]()},
	"top":                         {reflect.TypeFor[top.Moment]()},
	"apply, confirm and rollback": {reflect.TypeFor[control.Applied](), reflect.TypeFor[control.Handover]()},
	"plan":                        {reflect.TypeFor[daemon.Prospect]()},
	"leases recover":              {reflect.TypeFor[daemon.Recovery]()},
	"leases import and export":    {reflect.TypeFor[importReport]()},
	"doctor":                      {reflect.TypeFor[doctor.Report]()},
	"The socket":                  {reflect.TypeFor[control.Port]()},
}

// fieldsOf is the names of a type's fields in JSON, and of those below. Leases, upstreams and problems inside others are
// described with the leases and the status.
func fieldsOf(t reflect.Type, into map[string]bool, root bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		fieldsOf(t.Elem(), into, root)
		return
	case reflect.Struct:
	default:
		return
	}
	if t.PkgPath() == "time" || t.PkgPath() == "net/netip" || !root && (t == reflect.TypeFor[control.Lease]() || t == reflect.TypeFor[control.Upstream]() || t == reflect.TypeFor[control.Problem]()) {
		return
	}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name != "" {
			into[name] = true
		}
		fieldsOf(f.Type, into, f.Anonymous || root && t == reflect.TypeFor[control.Status]())
	}
}

var (
	inQuotes = regexp.MustCompile("`([^`]+)`")
	aField   = regexp.MustCompile(`^[a-z_0-9]+$`)
)

// TestFieldsAreDocumented: every field of the JSON is in its section of docs/cli.md, and what is said to be a field is one.
func TestFieldsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	heading, fenced := "", false
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "##") {
			heading = strings.TrimSpace(title)
			continue
		}
		sections[heading] += line
	}
	for _, heading := range slices.Sorted(maps.Keys(documented)) {
		fields := map[string]bool{}
		for _, typ := range documented[heading] {
			fieldsOf(typ, fields, true)
		}
		said := map[string]bool{}
		for _, m := range inQuotes.FindAllStringSubmatch(sections[heading], -1) {
			said[strings.TrimSuffix(m[1], "[]")] = true
		}
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			if !said[name] {
				t.Errorf("%s: the field %s isn't there", heading, name)
			}
		}
		for _, name := range saidFields(sections[heading]) {
			if !fields[name] {
				t.Errorf("%s: there is no field %s", heading, name)
			}
		}
	}
}

// saidFields is what the first columns of a section's tables of fields name.
func saidFields(section string) (names []string) {
	table := false
	for line := range strings.Lines(section) {
		switch cells := strings.Split(line, "|"); {
		case len(cells) < 3:
			table = false
		case strings.TrimSpace(cells[1]) == "field":
			table = true
		case table:
			for _, m := range inQuotes.FindAllStringSubmatch(cells[1], -1) {
				if name := strings.TrimSuffix(m[1], "[]"); aField.MatchString(name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
