package netcfg

import (
	"os"
	"os/user"
	"strconv"
)

// ServiceUser is the user that a packaged labnet runs as, with the capabilities for it.
const ServiceUser = "labnet"

// TrustedUser reports whether a process of a user can be a labnet that this one may believe: root's, our own user's, or the service's.
func TrustedUser(uid uint32) bool {
	if uid == 0 || int(uid) == os.Geteuid() {
		return true
	}
	u, err := user.Lookup(ServiceUser)
	return err == nil && u.Uid == strconv.FormatUint(uint64(uid), 10)
}
