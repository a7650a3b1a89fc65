package config

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// API is who may do what over the control socket.
type API struct {
	Admins []string // groups, by name or number, whose members may change things as root may
}

func apiBlock() *block {
	return &block{
		name: "api",
		doc:  "Who may change things over the control socket; [operations](operations.md#who-may-do-what) has the table.",
		args: []argument{
			{
				name: "admins", kind: listOf(groupName()), fallback: "[]", example: `["netadmin", "1200"]`,
				doc: "groups of `/etc/group`, or numbers of groups, whose members may change everything that root may over the socket, such as leases, reservations, and others' TAPs",
			},
		},
	}
}

// groupName is a group by its name, or by its number for those that /etc/group doesn't have.
func groupName() kind {
	return ofText("group", func(s string) (any, error) {
		switch {
		case s == "":
			return nil, errors.New("the name of the group is empty")
		case strings.ContainsAny(s, ":,\x00") || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f }):
			return nil, faultf(`Write, for instance, "netadmin".`, "%q can't be the name of a group", s)
		case strings.HasPrefix(s, "@"), strings.HasPrefix(s, "%"):
			return nil, faultf(fmt.Sprintf("Did you mean %q?", s[1:]), "%q can't be the name of a group", s)
		}
		if number, err := strconv.ParseInt(s, 10, 64); err == nil && (number < 0 || number >= 1<<32-1 || s != strconv.FormatInt(number, 10)) {
			return nil, faultf("Numbers of groups go from 0 to 4294967294.", "%q is not the number of a group", s)
		} else if err == nil {
			s = strconv.FormatInt(number, 10)
		}
		if s == "nogroup" || s == "65534" {
			return nil, faultf("Make a group for the people who may.", "%q is the group of whoever has none here", s)
		}
		return s, nil
	})
}

func (b *builder) api(n *node) API {
	c := &claims{b: b, taken: map[string]claim{}}
	for _, e := range n.elems("admins") {
		name := e.v.(string)
		if !c.take(n, name, "this block", e.at, fmt.Sprintf("the group %q stands twice", name), "Once is enough.") || b.look == nil {
			continue
		}
		if _, err := strconv.ParseUint(name, 10, 32); err == nil {
			continue
		}
		if _, err := user.LookupGroup(name); err != nil {
			b.warn(n, e.at, fmt.Sprintf("there is no group %q on this host", name),
				"Until there is, and labnet is reloaded, it lets nobody change anything. Groups that aren't in /etc/group have to be given by their numbers.")
		}
	}
	return API{Admins: list[string](n, "admins")}
}
