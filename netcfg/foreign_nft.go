package netcfg

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ruleset is other people's rules in nftables, those of iptables-nft among them: what IPv4 packets come by at the filters.
type ruleset struct {
	conn   *netlink.Conn // for elements of sets, which are read when a rule asks for them
	bases  []readChain
	chains map[place]bool
	rules  map[place][]foreignRule
	sets   map[place][]rawElement // read so far; by the set's name
}

// place is a chain or a set of a table.
type place struct {
	table tableID
	name  string
}

// foreignRule is a rule's expressions, in order.
type foreignRule []expression

type expression struct {
	name string
	data []byte
}

// readForeign reads the tables that have a filter for what is forwarded, taken or sent by the host, and are not ours.
func readForeign(conn *netlink.Conn) (*ruleset, error) {
	all, err := readChains(conn, familyAny)
	if err != nil {
		return nil, err
	}
	r := &ruleset{conn: conn, chains: map[place]bool{}, rules: map[place][]foreignRule{}, sets: map[place][]rawElement{}}
	var tables []tableID
	for _, c := range all {
		id := c.table
		if id == inetTable || (id.family != familyInet && id.family != familyIPv4) {
			continue
		}
		r.chains[place{id, c.name}] = true
		if c.base == nil || c.base.kind != "filter" || !slices.Contains([]uint32{hookInput, hookForward, hookOutput}, c.base.hook) {
			continue
		}
		r.bases = append(r.bases, c)
		if !slices.Contains(tables, id) {
			tables = append(tables, id)
		}
	}
	for _, id := range tables {
		if err := r.read(id); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (r *ruleset) read(id tableID) error {
	messages, err := dump(r.conn, nfKind(unix.NFT_MSG_GETRULE), nfRequest(id.family, attrText(unix.NFTA_RULE_TABLE, id.name)))
	if errors.Is(err, unix.ENOENT) {
		return nil // gone since
	}
	if err != nil {
		return fmt.Errorf("listing the rules of table %s: %w", id, err)
	}
	for _, m := range messages {
		var in, chain string
		var rule foreignRule
		if err := eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_RULE_TABLE:
				in = text(v)
			case unix.NFTA_RULE_CHAIN:
				chain = text(v)
			case unix.NFTA_RULE_EXPRESSIONS:
				rule = readExpressions(v)
			}
		}); err != nil {
			return err
		}
		if in == id.name {
			r.rules[place{id, chain}] = append(r.rules[place{id, chain}], rule)
		}
	}
	return nil
}

func readExpressions(list []byte) foreignRule {
	var rule foreignRule
	_ = eachAttribute(list, 0, func(_ uint16, v []byte) {
		var e expression
		_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_EXPR_NAME:
				e.name = text(v)
			case unix.NFTA_EXPR_DATA:
				e.data = v
			}
		})
		rule = append(rule, e)
	})
	return rule
}

// elements are those of a set, in the kernel's order; none also where they can't be read.
func (r *ruleset) elements(at place) []rawElement {
	if found, ok := r.sets[at]; ok {
		return found
	}
	messages, err := dump(r.conn, nfKind(unix.NFT_MSG_GETSETELEM), nfRequest(at.table.family,
		attrText(unix.NFTA_SET_ELEM_LIST_TABLE, at.table.name), attrText(unix.NFTA_SET_ELEM_LIST_SET, at.name)))
	if err != nil {
		messages = nil
	}
	list := []rawElement{}
	for _, m := range messages {
		_ = eachAttribute(m.Data, 4, func(kind uint16, v []byte) {
			if kind == unix.NFTA_SET_ELEM_LIST_ELEMENTS {
				_ = eachAttribute(v, 0, func(_ uint16, v []byte) { list = append(list, readElement(v)) })
			}
		})
	}
	r.sets[at] = list
	return list
}
