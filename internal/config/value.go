package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// value is an argument's value.
type value struct {
	name    string
	written bool // in the text, not a default
	ok      bool // false: wrong, and said so
	v       any
	elems   []elem    // of a list
	at      hcl.Range // the expression
	expr    hcl.Expression
}

// elem is an element of a list.
type elem struct {
	v  any
	at hcl.Range
}

// get returns an argument's value; the zero value if it is neither written nor has a default, or is wrong.
func get[T any](n *node, name string) T {
	var zero T
	v := n.values[name]
	if v == nil {
		return zero
	}
	if t, ok := v.v.(T); ok {
		return t
	}
	return zero
}

// list returns the elements of a list that are right.
func list[T any](n *node, name string) []T {
	var out []T
	if v := n.values[name]; v != nil {
		for _, e := range v.elems {
			out = append(out, e.v.(T))
		}
	}
	return out
}

// elems returns the elements of a list with their places.
func (n *node) elems(name string) []elem {
	if v := n.values[name]; v != nil {
		return v.elems
	}
	return nil
}

// has reports whether the text gives an argument.
func (n *node) has(name string) bool { return n.values[name] != nil && n.values[name].written }

// wrong reports whether an argument was refused.
func (n *node) wrong(name string) bool { return n.values[name] != nil && !n.values[name].ok }

// at returns where an argument's value stands, or the block's head if it isn't written.
func (n *node) at(name string) hcl.Range {
	if n.has(name) {
		return n.values[name].at
	}
	return n.name
}

// value evaluates an argument and makes it one of its kind. nil stands for null, as if it weren't written.
func (d *decoder) value(n *node, arg argument, a *hcl.Attribute) *value {
	out := &value{name: arg.name, written: true, at: a.Expr.Range(), expr: a.Expr}
	v, ok := d.evaluate(n, a.Expr)
	if !ok || !v.IsKnown() {
		return out
	}
	if v.IsNull() {
		return nil
	}
	if arg.kind.elem == nil {
		out.v, out.ok = d.convert(n, arg.kind, v, out.at)
		return out
	}
	elems, ok := d.elements(n, arg.name, a.Expr, v)
	out.ok = ok
	for _, e := range elems {
		if parsed, ok := d.convert(n, *arg.kind.elem, e.v.(cty.Value), e.at); ok {
			out.elems = append(out.elems, elem{parsed, e.at})
		} else {
			out.ok = false
		}
	}
	return out
}

// elements takes a list apart, keeping the place of each element where the text shows it.
func (d *decoder) elements(n *node, name string, expr hcl.Expression, v cty.Value) ([]elem, bool) {
	if ty := v.Type(); !ty.IsListType() && !ty.IsSetType() && !ty.IsTupleType() {
		return []elem{{v, expr.Range()}}, true
	}
	exprs, _ := hcl.ExprList(expr)
	var out []elem
	ok := true
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		at := expr.Range()
		if len(exprs) == v.LengthInt() {
			at = exprs[len(out)].Range()
		}
		if !e.IsKnown() {
			return nil, false
		}
		if e.IsNull() {
			d.error(n, at, fmt.Sprintf("an element of %q is null", name), "")
			ok = false
			continue
		}
		out = append(out, elem{e, at})
	}
	return out, ok
}

func (d *decoder) convert(n *node, k kind, v cty.Value, at hcl.Range) (any, bool) {
	if !v.IsWhollyKnown() {
		return nil, false // what it depends on is wrong, and said so
	}
	parsed, err := k.parse(v)
	if err != nil {
		d.fault(n, at, err)
		return nil, false
	}
	return parsed, true
}

func (d *decoder) fault(n *node, at hcl.Range, err error) {
	detail := ""
	if f, ok := errors.AsType[*fault](err); ok {
		detail = f.detail
	}
	d.error(n, at, err.Error(), detail)
}

// evaluate computes an expression. References are checked first: the library's own message would come without a suggestion.
func (d *decoder) evaluate(n *node, expr hcl.Expression) (cty.Value, bool) {
	if !d.references(n, expr) {
		return cty.NilVal, false
	}
	v, found := expr.Value(d.eval)
	d.diags.addHCL(found, n.where)
	if found.HasErrors() {
		return cty.NilVal, false
	}
	v, _ = v.UnmarkDeep()
	return v, true
}

func (d *decoder) references(n *node, expr hcl.Expression) bool {
	ok := true
	locals := d.eval.Variables["local"].Type().AttributeTypes()
	for _, t := range expr.Variables() {
		root := t.RootName()
		if root != "local" {
			ok = false
			d.error(n, t.SourceRange(), fmt.Sprintf("%q is not a value", root), d.rootHint(root))
			continue
		}
		if len(t) < 2 {
			continue
		}
		name, isAttr := t[1].(hcl.TraverseAttr)
		if !isAttr {
			continue
		}
		if _, known := locals[name.Name]; !known {
			ok = false
			detail := didYouMean("local."+name.Name, prefixed("local.", slices.Collect(maps.Keys(locals))))
			if len(locals) == 0 {
				detail = fmt.Sprintf("There is no locals block: locals { %s = … }", name.Name)
			}
			d.error(n, t.SourceRange(), fmt.Sprintf("there is no local value %q", name.Name), detail)
		}
	}
	return ok
}

func (d *decoder) rootHint(root string) string {
	if _, isLocal := d.eval.Variables["local"].Type().AttributeTypes()[root]; isLocal {
		return fmt.Sprintf("The local value of that name is written \"local.%s\".", root)
	}
	if _, isFunction := d.eval.Functions[root]; isFunction {
		return fmt.Sprintf("It is a function: write %s(…).", root)
	}
	if n := nearest(root, []string{"local"}); n != "" {
		return `Did you mean "local"?`
	}
	return fmt.Sprintf("Text stands in quotes: \"%s\". Values of a locals block are written local.NAME.", root)
}

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = prefix + n
	}
	slices.Sort(out)
	return out
}
