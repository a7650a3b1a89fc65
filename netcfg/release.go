package netcfg

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The oldest kernel whose rules may ask for a route at every hook that a packet passes on its way in, not only at the first (nft_fib,
// Linux 5.17).
const routesAskedMajor, routesAskedMinor = 5, 17

// runningRelease is the release of the running kernel, uname(2); "" if it isn't told.
func runningRelease() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}

// asksForRoutes reports whether a kernel of some release, as 6.1.0-18-amd64, lets rules ask for routes everywhere. One that isn't
// understood is taken for an old one.
func asksForRoutes(release string) bool {
	parts := strings.SplitN(release, ".", 3)
	if len(parts) < 2 {
		return false
	}
	digits := strings.IndexFunc(parts[1]+" ", func(r rune) bool { return r < '0' || r > '9' })
	major, err1 := strconv.Atoi(parts[0])
	minor, err2 := strconv.Atoi(parts[1][:digits])
	if err1 != nil || err2 != nil {
		return false
	}
	return major > routesAskedMajor || major == routesAskedMajor && minor >= routesAskedMinor
}
