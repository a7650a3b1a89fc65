package netcfg

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// inCore are the expressions that every nf_tables has.
var inCore = []string{"bitwise", "byteorder", "cmp", "exthdr", "immediate", "lookup", "payload", "rt"}

// allOperations make everything that labnet can.
func allOperations(t *testing.T) []operation {
	t.Helper()
	tx := &transaction{}
	for _, name := range sortedKeys(configs()) {
		cfg, err := configs()[name].complete()
		if err != nil {
			t.Fatal(err)
		}
		want := desired(cfg, &facts{links: []link{{index: 2, name: "eth0"}}, routes: []route{defaultRoute(2)}, sysctls: map[sysctlKey]string{}})
		for _, id := range []tableID{inetTable, bridgeTable} {
			if to := want.tables[id]; to != nil {
				addTable{id: id, to: to}.encode(tx)
			}
		}
	}
	return tx.operations()
}

func TestEveryExpressionHasItsModule(t *testing.T) {
	found := 0
	for _, op := range allOperations(t) {
		if op.kind() != unix.NFT_MSG_NEWRULE {
			continue
		}
		_ = eachAttribute(op.message.Data, 4, func(kind uint16, v []byte) {
			if kind != unix.NFTA_RULE_EXPRESSIONS {
				return
			}
			for _, e := range expressions(v) {
				found++
				f := family(op.message.Data[0])
				if _, ok := expressionModules[e]; !ok && !slices.Contains(inCore, e) {
					t.Errorf("the table of modules doesn't know %s", e)
				} else if ok && expressionModules[e][f] == "" && e != "meta" {
					t.Errorf("the table of modules doesn't know %s of %s tables", e, f)
				}
			}
		})
	}
	if found < 100 {
		t.Errorf("only %d expressions found", found)
	}
}

func TestRefusalNamesModules(t *testing.T) {
	needing := func(module string) func(operation) bool {
		return func(op operation) bool {
			_, modules := op.needs()
			return slices.Contains(modules, module)
		}
	}
	for _, c := range []struct {
		name    string
		refused func(operation) bool
		loaded  []string
		errno   unix.Errno
		want    string
	}{
		{"connection tracking", needing("nft_ct"), []string{"nft_objref", "nft_connlimit", "nft_nat", "nft_meta_bridge", "nft_numgen"}, unix.ENOENT, "the kernel lacks the module nft_ct; load it by `modprobe nft_ct`"},
		// The rules of the chain that isn't there are refused too, whatever is in them.
		{"the chain of translations", func(op operation) bool {
			c, _ := op.needs()
			return needing("nft_chain_nat")(op) || c == (chainID{"inet labnet", "postrouting"})
		}, nil, unix.ENOENT, "the kernel lacks the module nft_chain_nat; load it by `modprobe nft_chain_nat`"},
		{"all", func(op operation) bool {
			_, modules := op.needs()
			return modules != nil
		}, nil, unix.ENOENT, "load them by `modprobe -a nft_counter nft_ct nft_chain_nat nft_numgen nft_connlimit nft_objref nft_masq nft_reject_inet nft_meta_bridge nft_limit nft_log nfnetlink_log nft_nat`"},
		{"another reason", needing("nft_ct"), nil, unix.EPERM, ""},
		// Someone removed our table: what is in it isn't missing from the kernel.
		{"everything", func(operation) bool { return true }, nil, unix.ENOENT, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r refusals
			for _, op := range allOperations(t) {
				if c.refused(op) {
					r.add(op, c.errno)
				}
			}
			got := r.err(func(module string) bool { return slices.Contains(c.loaded, module) }).Error()
			if c.want == "" && strings.Contains(got, "modprobe") || !strings.Contains(got, c.want) {
				t.Errorf("%s\nwant: %q", got, c.want)
			}
		})
	}
}
