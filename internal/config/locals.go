package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// locals evaluates the locals blocks of all files, in whatever order they refer to one another.
func (d *decoder) locals(blocks []*hcl.Block) {
	n := &node{where: "locals"}
	attrs := map[string]*hcl.Attribute{}
	for _, b := range blocks {
		if b.Type != "locals" {
			continue
		}
		found, diags := b.Body.JustAttributes()
		d.diags.addHCL(diags, n.where)
		for _, a := range sortedAttributes(found) {
			if earlier, ok := attrs[a.Name]; ok {
				d.error(n, a.NameRange, fmt.Sprintf("a second local value %q", a.Name), "Give it another name.", here(earlier.NameRange, "the first one"))
				continue
			}
			attrs[a.Name] = a
		}
	}
	// Until a value is computed it is unknown, so that every reference is found right or wrong from the start; one
	// that fails stays unknown and nothing more is said of what depends on it.
	values := map[string]cty.Value{}
	for name := range attrs {
		values[name] = cty.DynamicVal
	}
	d.eval = &hcl.EvalContext{Functions: functions()}
	publish := func() { d.eval.Variables = map[string]cty.Value{"local": cty.ObjectVal(values)} }
	publish()
	const (
		visiting = iota + 1
		done
	)
	state := map[string]int{}
	var visit func(name string, chain []string)
	visit = func(name string, chain []string) {
		a, ok := attrs[name]
		if !ok || state[name] == done {
			return
		}
		chain = append(chain, name)
		if state[name] == visiting {
			d.error(n, a.NameRange, fmt.Sprintf("the local value %q depends on itself", name), strings.Join(chain[slices.Index(chain, name):], " → "))
			return
		}
		state[name] = visiting
		for _, dependency := range localsIn(a.Expr, attrs) {
			visit(dependency, chain)
		}
		state[name] = done
		if v, ok := d.evaluate(n, a.Expr); ok {
			values[name] = v
			publish()
		}
	}
	for _, a := range sortedAttributes(attrs) {
		visit(a.Name, nil)
	}
}

// localsIn returns the local values that an expression needs; all of them if it takes local as a whole.
func localsIn(expr hcl.Expression, all map[string]*hcl.Attribute) []string {
	var names []string
	for _, t := range expr.Variables() {
		if t.RootName() != "local" {
			continue
		}
		if len(t) > 1 {
			if attr, ok := t[1].(hcl.TraverseAttr); ok {
				names = append(names, attr.Name)
				continue
			}
			if index, ok := t[1].(hcl.TraverseIndex); ok && index.Key.Type() == cty.String {
				names = append(names, index.Key.AsString())
				continue
			}
		}
		names = append(names, slices.Sorted(maps.Keys(all))...)
	}
	return names
}

func sortedAttributes(attrs map[string]*hcl.Attribute) []*hcl.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hcl.Attribute) int {
		return cmp.Or(cmp.Compare(a.Range.Filename, b.Range.Filename), cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte))
	})
}
