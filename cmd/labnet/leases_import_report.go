package main

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"labnet/internal/control"
	"labnet/internal/migrate"
)

// importReport is what `leases import -o json` prints.
type importReport struct {
	DryRun    bool            `json:"dry_run"`
	Imported  int             `json:"imported"`
	Unchanged int             `json:"unchanged"`
	Ended     int             `json:"ended"`
	Skipped   int             `json:"skipped"`
	Refused   int             `json:"refused"`
	Bad       int             `json:"bad"`
	Nameless  int             `json:"without_name"`
	Problems  []importProblem `json:"problems"`
}

// importProblem is a lease that was refused, or something in a file that is none.
type importProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Address string `json:"address,omitempty"`
	Outcome string `json:"outcome"` // refused or bad
	Reason  string `json:"reason"`
}

// add enters what became of the leases, and puts the problems of a file in the order of its lines.
func (r *importReport) add(found []migrate.Lease, answer control.ImportAnswer) {
	for i, result := range answer.Results {
		l := &found[i]
		if result.Without != "" {
			r.Nameless++
		}
		switch result.Outcome {
		case control.OutcomeImported:
			r.Imported++
		case control.OutcomeUnchanged:
			r.Unchanged++
		case control.OutcomeEnded:
			r.Ended++
		case control.OutcomeSkipped:
			r.Skipped++
		default:
			r.Refused++
			r.Problems = append(r.Problems, importProblem{l.File, l.Line, l.Addr.String(), control.OutcomeRefused, result.Reason})
		}
	}
	slices.SortStableFunc(r.Problems, func(a, b importProblem) int { return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) })
}

// write prints the summary to out, and a line for each problem to errOut.
func (r *importReport) write(out, errOut io.Writer) error {
	for _, p := range r.Problems {
		address := ""
		if p.Address != "" {
			address = printable(p.Address) + ": "
		}
		if _, err := fmt.Fprintf(errOut, "%s:%d: %s%s\n", visible(p.File), p.Line, address, visible(p.Reason)); err != nil {
			return err
		}
	}
	var parts []string
	for _, part := range []struct {
		count int
		what  string
		shown bool
	}{
		{r.Imported, "imported", true},
		{r.Unchanged, "unchanged", true},
		{r.Ended, "ended and kept in mind", r.Ended > 0},
		{r.Skipped, "of no use here", r.Skipped > 0},
		{r.Refused, "refused", true},
		{r.Bad, "bad", true},
		{r.Nameless, "without the name that was asked for", r.Nameless > 0},
	} {
		if part.shown {
			parts = append(parts, fmt.Sprintf("%d %s", part.count, part.what))
		}
	}
	tried := ""
	if r.DryRun {
		tried = "; nothing is changed, since this is a dry run"
	}
	_, err := fmt.Fprintf(out, "%s%s\n", strings.Join(parts, ", "), tried)
	return err
}

var importStates = map[migrate.State]string{
	migrate.Active: "bound", migrate.Released: "released", migrate.Expired: "expired", migrate.Declined: "declined",
}

// importRequest is leases as the daemon takes them.
func importRequest(found []migrate.Lease) []control.ImportLease {
	out := make([]control.ImportLease, 0, len(found))
	for i := range found {
		l := &found[i]
		out = append(out, control.ImportLease{
			Address: l.Addr, HardwareType: l.HWType, MAC: colons(l.HWAddr), ClientID: colons(l.ClientID), Foreign: l.Foreign,
			Name: l.Name, Hostname: l.Hostname, VendorClass: l.VendorClass, State: importStates[l.State],
			Start: seconds(l.Start), LastSeen: seconds(l.Seen), Expires: seconds(l.Expiry),
		})
	}
	return out
}

// colons is raw bytes in hexadecimal with colons.
func colons(raw string) string {
	var parts []string
	for i := range len(raw) {
		parts = append(parts, hex.EncodeToString([]byte{raw[i]}))
	}
	return strings.Join(parts, ":")
}

// seconds is 0 for the zero time.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}
