package netcfg

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"
)

// removeBridges removes bridges by one request: one by one, the kernel waits for every processor each time, and 50 take seconds. They
// are put into a link group that is nobody else's, and the group is removed.
func (ns *namespace) removeBridges(step []Change) error {
	links, err := readLinks(ns.route)
	if err != nil {
		return err
	}
	group := rand.Uint32() | 1<<31
	for slices.ContainsFunc(links, func(l link) bool { return l.group == group }) {
		group++
	}
	for _, c := range step {
		name := c.(delBridge).name
		at := slices.IndexFunc(links, func(l link) bool { return l.name == name })
		if at < 0 {
			return fmt.Errorf("%s: %w", name, errNoLink)
		}
		if err := request(ns.route, unix.RTM_SETLINK, 0, ifinfo(links[at].index, 0, 0), attrNative32(unix.IFLA_GROUP, group)); err != nil {
			return fmt.Errorf("preparing the removal of bridge %s: %w", name, err)
		}
	}
	return wrap(request(ns.route, unix.RTM_DELLINK, 0, ifinfo(0, 0, 0), attrNative32(unix.IFLA_GROUP, group)), "removing %d bridges", len(step))
}
