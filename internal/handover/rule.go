package handover

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// rule is a rule of the routing policy that names a link.
type rule struct{ entry }

// sizeofRule is the size of fib_rule_hdr, uapi/linux/fib_rules.h.
const sizeofRule = 12

func (c conn) rules() ([]rule, error) {
	var out []rule
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, sizeofRule)
		request[0] = family
		messages, err := c.dump(unix.RTM_GETRULE, request)
		if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EAFNOSUPPORT) {
			continue // a kernel without IPv6, or without rules
		}
		if err != nil {
			return nil, fmt.Errorf("listing the routing policy's rules: %w", err)
		}
		for _, m := range messages {
			e, err := parse(m.Data, sizeofRule)
			if err != nil {
				return nil, err
			}
			out = append(out, rule{e})
		}
	}
	return out, nil
}

func (r rule) names(link string) bool {
	return text(r.get(unix.FRA_IIFNAME)) == link || text(r.get(unix.FRA_OIFNAME)) == link
}

// request is the rule with one link's name in another's place.
func (r rule) request(from, to string) entry {
	out := entry{r.header, r.attrs}
	for _, kind := range []uint16{unix.FRA_IIFNAME, unix.FRA_OIFNAME} {
		if text(r.get(kind)) == from {
			out = out.with(kind, name(to))
		}
	}
	// Whether the link is there is for the kernel to say.
	const detached = unix.FIB_RULE_IIF_DETACHED | unix.FIB_RULE_OIF_DETACHED
	out = entry{append([]byte{}, out.header...), out.attrs}
	flags := native32(out.header[8:]) &^ detached
	copy(out.header[8:], put32(flags))
	return out
}

func (c conn) addRule(r rule, from, to string) error {
	err := c.do(unix.RTM_NEWRULE, netlink.Create|netlink.Excl, r.request(from, to).bytes())
	if err != nil && !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("adding a rule of the routing policy for %s: %w", to, err)
	}
	return nil
}

func (c conn) delRule(r rule, from, to string) error {
	err := c.do(unix.RTM_DELRULE, 0, r.request(from, to).bytes())
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("removing a rule of the routing policy for %s: %w", to, err)
	}
	return nil
}
