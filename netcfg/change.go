package netcfg

import (
	"fmt"
	"slices"
	"strings"
)

const (
	groupFirewall  = "firewall"
	groupLinks     = "links"
	groupAddresses = "addresses"
	groupSysctls   = "sysctls"
	groupPorts     = "ports"
)

type (
	addBridge struct {
		name string
		to   bridge
	}
	setBridge struct {
		name     string
		from, to bridge
	}
	delBridge  struct{ name string }
	addAddress struct{ address }
	delAddress struct{ address }
	setSysctl  struct {
		key      sysctlKey
		from, to string // from "": the interface doesn't exist yet
		restore  bool
	}
	attachPort struct {
		name, bridge string
		isolated     bool
	}
	detachPort struct {
		name string
		port
	}
)

func (c addBridge) Group() string  { return groupLinks }
func (c setBridge) Group() string  { return groupLinks }
func (c delBridge) Group() string  { return groupLinks }
func (c addAddress) Group() string { return groupAddresses }
func (c delAddress) Group() string { return groupAddresses }
func (c setSysctl) Group() string  { return groupSysctls }
func (c attachPort) Group() string { return groupPorts }
func (c detachPort) Group() string { return groupPorts }

func (c addBridge) String() string {
	return fmt.Sprintf("+ link %s (bridge, mtu %d, mac %s)", c.name, c.to.mtu, c.to.mac)
}

func (c setBridge) String() string {
	var parts []string
	add := func(differs bool, format string, args ...any) {
		if differs {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(c.from.mac != c.to.mac, "mac %s -> %s", c.from.mac, c.to.mac)
	add(c.from.mtu != c.to.mtu, "mtu %d -> %d", c.from.mtu, c.to.mtu)
	add(!c.from.marked, "alias %s", alias)
	add(c.from.stp, "stp on -> off")
	add(c.from.forwardDelay != c.to.forwardDelay, "forward delay %.2fs -> %.2fs",
		float64(c.from.forwardDelay)/100, float64(c.to.forwardDelay)/100)
	add(!c.from.up, "down -> up")
	return fmt.Sprintf("~ link %s (%s)", c.name, strings.Join(parts, ", "))
}

func (c delBridge) String() string  { return "- link " + c.name }
func (c addAddress) String() string { return fmt.Sprintf("+ address %s on %s", c.prefix, c.link) }
func (c delAddress) String() string { return fmt.Sprintf("- address %s on %s", c.prefix, c.link) }

func (c setSysctl) String() string {
	switch {
	case c.restore:
		return fmt.Sprintf("~ sysctl %s %s -> %s (as before)", c.key, c.from, c.to)
	case c.from == "":
		return fmt.Sprintf("+ sysctl %s %s", c.key, c.to)
	}
	return fmt.Sprintf("~ sysctl %s %s -> %s", c.key, c.from, c.to)
}

func (c attachPort) String() string {
	if c.isolated {
		return fmt.Sprintf("+ port %s on %s (isolated)", c.name, c.bridge)
	}
	return fmt.Sprintf("+ port %s on %s", c.name, c.bridge)
}

func (c detachPort) String() string {
	if c.restoreDown {
		return fmt.Sprintf("- port %s on %s (down, as before)", c.name, c.bridge)
	}
	return fmt.Sprintf("- port %s on %s", c.name, c.bridge)
}

// firewallChange is a change of an nftables table: adjacent ones are made in one transaction.
type firewallChange interface {
	Change
	// encode appends its messages to the transaction.
	encode(tx *transaction)
}

type (
	addTable struct {
		id      tableID
		to      *table
		replace bool // someone changed what can't be changed in place
	}
	delTable struct {
		id   tableID
		from *table
	}
	addCounter struct {
		table tableID
		name  string
	}
	delCounter struct {
		table tableID
		name  string
	}
	addSet struct {
		table tableID
		name  string
		to    set
	}
	delSet struct {
		table tableID
		name  string
	}
	addChain struct {
		table tableID
		name  string
		to    chain
	}
	setChain struct {
		table    tableID
		name     string
		from, to chain
	}
	delChain struct {
		table tableID
		name  string
	}
	setElements struct {
		table    tableID
		name     string
		of       set               // its types
		add, del map[string]string // element to verdict
	}
)

func (c addTable) Group() string    { return groupFirewall }
func (c delTable) Group() string    { return groupFirewall }
func (c addCounter) Group() string  { return groupFirewall }
func (c delCounter) Group() string  { return groupFirewall }
func (c addSet) Group() string      { return groupFirewall }
func (c delSet) Group() string      { return groupFirewall }
func (c addChain) Group() string    { return groupFirewall }
func (c setChain) Group() string    { return groupFirewall }
func (c delChain) Group() string    { return groupFirewall }
func (c setElements) Group() string { return groupFirewall }

func (c addTable) String() string {
	sign := "+"
	if c.replace {
		sign = "~"
	}
	return fmt.Sprintf("%s table %s (%s, %s)", sign, c.id, count(len(c.to.chains), "chain"), count(c.to.ruleCount(), "rule"))
}

func (c delTable) String() string {
	return fmt.Sprintf("- table %s (%s, %s)", c.id, count(len(c.from.chains), "chain"), count(c.from.ruleCount(), "rule"))
}

func (c addCounter) String() string { return fmt.Sprintf("+ counter %s %s", c.table, c.name) }
func (c delCounter) String() string { return fmt.Sprintf("- counter %s %s", c.table, c.name) }
func (c delSet) String() string     { return fmt.Sprintf("- set %s %s", c.table, c.name) }
func (c delChain) String() string   { return fmt.Sprintf("- chain %s %s", c.table, c.name) }

func (c addSet) String() string {
	return fmt.Sprintf("+ set %s %s (%s)", c.table, c.name, count(len(c.to.elements), "element"))
}

func (c addChain) String() string {
	return fmt.Sprintf("+ chain %s %s (%s)", c.table, c.name, count(len(c.to.rules), "rule"))
}

func (c setChain) String() string {
	if len(c.from.rules) == len(c.to.rules) {
		return fmt.Sprintf("~ chain %s %s (%s)", c.table, c.name, count(len(c.to.rules), "rule"))
	}
	return fmt.Sprintf("~ chain %s %s (%d -> %s)", c.table, c.name, len(c.from.rules), count(len(c.to.rules), "rule"))
}

func (c setElements) String() string {
	var parts []string
	for _, e := range sortedKeys(c.add) {
		if c.of.value != 0 {
			e += " : " + c.add[e]
		}
		parts = append(parts, "+"+e)
	}
	for _, e := range sortedKeys(c.del) {
		if _, changed := c.add[e]; !changed {
			parts = append(parts, "-"+e)
		}
	}
	return fmt.Sprintf("~ set %s %s (%s)", c.table, c.name, strings.Join(parts, ", "))
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
