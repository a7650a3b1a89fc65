package netcfg

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// The kernel loads what nftables needs when it is first used. Where it can't (in a container, with kernel.modules_disabled, after
// an upgrade that took the running kernel's modules away) it refuses with no more than "no such file or directory".

// expressionModules are the modules of those expressions of ours that a kernel may have apart from nf_tables itself.
var expressionModules = map[string]map[family]string{
	"ct":      {familyInet: "nft_ct", familyBridge: "nft_ct"},
	"dynset":  {familyBridge: "nft_limit", familyInet: "nft_connlimit"}, // of what it counts; it is in nf_tables itself
	"notrack": {familyInet: "nft_ct", familyBridge: "nft_ct"},
	"fib":     {familyInet: "nft_fib_inet"},
	"limit":   {familyInet: "nft_limit", familyBridge: "nft_limit"},
	"log":     {familyInet: "nft_log nfnetlink_log", familyBridge: "nft_log nfnetlink_log"},
	"masq":    {familyInet: "nft_masq"},
	"meta":    {familyBridge: "nft_meta_bridge"},
	"nat":     {familyInet: "nft_nat"},
	"numgen":  {familyInet: "nft_numgen"},
	"objref":  {familyInet: "nft_objref", familyBridge: "nft_objref"},
	"reject":  {familyInet: "nft_reject_inet", familyBridge: "nft_reject_bridge"},
}

// refusal is the kernel's no to a transaction: the first operation that it refused and why, and the modules that it may lack.
type refusal struct {
	change  Change // nil if it isn't known
	errno   unix.Errno
	modules []string
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("nftables refused the changes: %v", r.errno)
	if r.change != nil {
		text = fmt.Sprintf("nftables refused %q: %v", r.change, r.errno)
	}
	switch len(r.modules) {
	case 0:
		return text
	case 1:
		return fmt.Sprintf("%s: the kernel lacks the module %[2]s; load it by `modprobe %[2]s`", text, r.modules[0])
	}
	return fmt.Sprintf("%s: the kernel lacks the modules %s; load them by `modprobe -a %s`", text, strings.Join(r.modules, ", "), strings.Join(r.modules, " "))
}

func (r *refusal) Unwrap() error { return r.errno }

// chainID is a chain of any table.
type chainID struct{ table, name string }

// refusals collects the kernel's answers to a transaction; it goes on after the first refusal, and so do these.
type refusals struct {
	first  *refusal
	chains []chainID // that aren't there, so that their rules are refused for want of them
}

// add takes a refusal of an operation, in the order of the transaction.
func (r *refusals) add(op operation, errno unix.Errno) {
	c, modules := op.needs()
	if errno != unix.ENOENT {
		modules = nil
	}
	if r.first == nil {
		r.first = &refusal{change: op.change, errno: errno, modules: modules}
	} else if len(r.first.modules) == 0 || slices.Contains(r.chains, c) {
		// Something else isn't there, and what follows may be refused for want of that.
		return
	}
	if op.kind() == unix.NFT_MSG_NEWCHAIN {
		r.chains = append(r.chains, c)
	}
	for _, m := range modules {
		if !slices.Contains(r.first.modules, m) {
			r.first.modules = append(r.first.modules, m)
		}
	}
}

// err is the first refusal, with all the modules that the transaction lacks. A rule that is refused for want of one module may name
// others that are there: loaded tells of those.
func (r *refusals) err(loaded func(module string) bool) error {
	if r.first == nil {
		return nil
	}
	r.first.modules = slices.DeleteFunc(r.first.modules, loaded)
	return r.first
}

// moduleLoaded looks for a module in this kernel. One that is built in may not be found.
func moduleLoaded(name string) bool {
	_, err := os.Stat("/sys/module/" + name)
	return err == nil
}

func (op operation) kind() int { return int(op.message.Header.Type) & 0xff }

// needs is the chain that an operation is about, and the modules that it can't be done without.
func (op operation) needs() (c chainID, modules []string) {
	f := family(op.message.Data[0])
	switch op.kind() {
	case unix.NFT_MSG_NEWCHAIN:
		_ = eachAttribute(op.message.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_CHAIN_TABLE:
				c.table = text(v)
			case unix.NFTA_CHAIN_NAME:
				c.name = text(v)
			case unix.NFTA_CHAIN_TYPE:
				if text(v) == "nat" {
					modules = append(modules, "nft_chain_nat")
				}
			}
		})
	case unix.NFT_MSG_NEWRULE:
		_ = eachAttribute(op.message.Data, 4, func(kind uint16, v []byte) {
			switch kind {
			case unix.NFTA_RULE_TABLE:
				c.table = text(v)
			case unix.NFTA_RULE_CHAIN:
				c.name = text(v)
			case unix.NFTA_RULE_EXPRESSIONS:
				for _, e := range expressions(v) {
					for _, m := range strings.Fields(expressionModules[e][f]) {
						if !slices.Contains(modules, m) {
							modules = append(modules, m)
						}
					}
				}
			}
		})
	case unix.NFT_MSG_NEWOBJ:
		modules = []string{"nft_counter"}
		if _, ok := op.change.(addTimeout); ok {
			modules = []string{"nft_ct"}
		}
	}
	c.table = f.String() + " " + c.table
	return c, modules
}

// expressions are the names of a rule's expressions.
func expressions(list []byte) (names []string) {
	_ = eachAttribute(list, 0, func(_ uint16, v []byte) {
		_ = eachAttribute(v, 0, func(kind uint16, v []byte) {
			if kind == unix.NFTA_EXPR_NAME {
				names = append(names, text(v))
			}
		})
	})
	return names
}

// noNftables reports whether an error, of opening a netfilter socket or of listing, says that this kernel has no nftables, or
// hasn't loaded it.
func noNftables(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT)
}
