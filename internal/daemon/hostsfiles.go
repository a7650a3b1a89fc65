package daemon

import (
	"fmt"

	"labnet/dnsserver"
	"labnet/internal/control"
	"labnet/netcfg"
)

// hostsFiles is how the hosts files do, as the API shows it.
func hostsFiles(files []dnsserver.HostsFile) []control.HostsFile {
	out := make([]control.HostsFile, 0, len(files))
	for _, f := range files {
		one := control.HostsFile{File: f.File, Names: f.Names, Bad: f.Bad}
		if f.Err != nil {
			one.Error = f.Err.Error()
		}
		out = append(out, one)
	}
	return out
}

// hostsFileProblems are the hosts files that can't be read.
func hostsFileProblems(files []dnsserver.HostsFile) []netcfg.Problem {
	var found []netcfg.Problem
	for _, f := range files {
		if f.Err == nil {
			continue
		}
		remedy := "put it there, or mend it; its names aren't answered until then"
		if f.Names > 0 {
			remedy = fmt.Sprintf("put it there, or mend it; the %d names that it had before are answered until then", f.Names)
		}
		found = append(found, netcfg.Problem{Summary: "a hosts file can't be read: " + f.Err.Error(), Remedy: remedy})
	}
	return found
}
