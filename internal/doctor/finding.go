package doctor

import "fmt"

// Status is how a thing is.
type Status string

// OK: as it should be. Warn: it works, or may be meant so. Fail: it doesn't work.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Finding is what one check found. What others named (hosts, processes, links) stands in it as it is: who prints it makes it printable.
type Finding struct {
	Area    string `json:"area"`
	Network string `json:"network,omitempty"`
	Status  Status `json:"status"`
	What    string `json:"what"`
	Fix     string `json:"fix,omitempty"` // a command, or words; "" where nothing is to be done
}

// Report is all findings, in the order in which a packet would meet what they are about.
type Report struct {
	Status   Status    `json:"status"` // the worst
	Guest    string    `json:"guest,omitempty"`
	Findings []Finding `json:"findings"`
}

// findings collects those of one area and network.
type findings struct {
	area, network string
	list          []Finding
}

func about(area, network string) *findings { return &findings{area: area, network: network} }

func (f *findings) add(status Status, fix, format string, args ...any) {
	f.list = append(f.list, Finding{Area: f.area, Network: f.network, Status: status, What: fmt.Sprintf(format, args...), Fix: fix})
}

func (f *findings) ok(format string, args ...any)        { f.add(OK, "", format, args...) }
func (f *findings) warn(fix, format string, args ...any) { f.add(Warn, fix, format, args...) }
func (f *findings) fail(fix, format string, args ...any) { f.add(Fail, fix, format, args...) }

func report(guest string, list []Finding) Report {
	r := Report{Status: OK, Guest: guest, Findings: list}
	for _, f := range list {
		if f.Status == Fail || f.Status == Warn && r.Status == OK {
			r.Status = f.Status
		}
	}
	return r
}
