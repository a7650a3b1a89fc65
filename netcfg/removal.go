package netcfg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"golang.org/x/sys/unix"
)

// removeBridges removes bridges by one request.
func (ns *namespace) removeBridges(step []Change) error {
	links, err := readLinks(ns.route)
	if err != nil {
		return err
	}
	indexes := make([]int, len(step))
	for i, c := range step {
		name := c.(delBridge).name
		at := slices.IndexFunc(links, func(l link) bool { return l.name == name })
		if at < 0 {
			return fmt.Errorf("%s: %w", name, errNoLink)
		}
		indexes[i] = links[at].index
	}
	return wrap(ns.removeTogether(links, indexes), "removing %d bridges", len(step))
}

// removeTogether removes links by one request: one by one, the kernel waits for every processor each time, and many take seconds. They
// are put into a link group that is nobody else's, and the group is removed. Those that are gone already are passed over.
func (ns *namespace) removeTogether(links []link, indexes []int) error {
	group := rand.Uint32() | 1<<31
	for slices.ContainsFunc(links, func(l link) bool { return l.group == group }) {
		group++
	}
	for _, index := range indexes {
		err := request(ns.route, unix.RTM_SETLINK, 0, ifinfo(index, 0, 0), attrNative32(unix.IFLA_GROUP, group))
		if err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("grouping them: %w", err)
		}
	}
	return gone(request(ns.route, unix.RTM_DELLINK, 0, ifinfo(0, 0, 0), attrNative32(unix.IFLA_GROUP, group)))
}
