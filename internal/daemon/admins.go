package daemon

import (
	"fmt"
	"os/user"
	"slices"
	"strconv"

	"labnet/internal/config"
	"labnet/netcfg"
)

// admit lets the members of the configuration's groups, and of no others, change things over the socket.
func (d *daemon) admit(api config.API) {
	groups, missing := groupNumbers(api.Admins)
	err := d.api.Admit(groups)
	if err != nil {
		d.log.Warn("the control socket isn't open to all who may use it", "err", err)
	}
	for _, name := range missing {
		d.log.Warn("a group of api.admins doesn't exist; nobody may change things by it", "group", name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notAdmitted = adminProblems(missing, err)
}

// groupNumbers is the numbers of groups by name or number, and the names that nobody has.
func groupNumbers(names []string) (groups []uint32, missing []string) {
	for _, name := range names {
		number := name
		if g, err := user.LookupGroup(name); err == nil {
			number = g.Gid
		}
		gid, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			missing = append(missing, name)
			continue
		}
		groups = append(groups, uint32(gid))
	}
	slices.Sort(groups)
	return slices.Compact(groups), missing
}

func adminProblems(missing []string, err error) []netcfg.Problem {
	var found []netcfg.Problem
	for _, name := range missing {
		found = append(found, netcfg.Problem{
			Summary: fmt.Sprintf("api.admins names the group %q, which doesn't exist", name),
			Remedy:  "make it, or correct its name, and reload; a group that isn't in /etc/group is given by its number",
		})
	}
	if err != nil {
		found = append(found, netcfg.Problem{Summary: err.Error()})
	}
	return found
}
