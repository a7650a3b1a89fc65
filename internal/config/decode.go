package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// node is one block of the text, decoded by the schema: every argument that was written or has a default has its value.
type node struct {
	spec   *block
	label  string
	where  string    // for messages: network "lab", dhcp
	head   hcl.Range // the block's first line, up to the brace
	name   hcl.Range // the label, or the head
	values map[string]*value
	blocks map[string][]*node
	bad    bool // something in it is wrong already

	misspelt []string // arguments that unknown ones were probably meant to be
}

// decoder turns bodies into nodes, and says what the schema has against them.
type decoder struct {
	diags  *Diagnostics
	schema *block
	eval   *hcl.EvalContext
}

// file decodes the top levels of all files as one.
func (d *decoder) file(bodies []hcl.Body) *node {
	root := &node{spec: d.schema, values: map[string]*value{}, blocks: map[string][]*node{}}
	var blocks []*hcl.Block
	for _, body := range bodies {
		_, found := d.content(body, root)
		blocks = append(blocks, found...)
	}
	d.locals(blocks)
	d.children(root, blocks)
	return root
}

// content returns what a body has of its schema, in the order of the text, and complains about the rest.
func (d *decoder) content(body hcl.Body, n *node) ([]*hcl.Attribute, []*hcl.Block) {
	var attrs []*hcl.Attribute
	var blocks []*hcl.Block
	if native, ok := body.(*hclsyntax.Body); ok {
		for _, a := range native.Attributes {
			attrs = append(attrs, a.AsHCLAttribute())
		}
		for _, b := range native.Blocks {
			blocks = append(blocks, b.AsHCLBlock())
		}
	} else {
		attrs, blocks = d.jsonContent(body, n)
	}
	slices.SortFunc(attrs, func(a, b *hcl.Attribute) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	attrs = slices.DeleteFunc(attrs, func(a *hcl.Attribute) bool {
		_, known := n.spec.argument(a.Name)
		if !known {
			d.unknownArgument(a, n)
		}
		return !known
	})
	blocks = slices.DeleteFunc(blocks, func(b *hcl.Block) bool { return !d.checkBlock(b, n) })
	return attrs, blocks
}

// jsonContent is content for the JSON syntax, where only the schema tells arguments and blocks apart.
func (d *decoder) jsonContent(body hcl.Body, n *node) ([]*hcl.Attribute, []*hcl.Block) {
	var want hcl.BodySchema
	for _, a := range n.spec.args {
		want.Attributes = append(want.Attributes, hcl.AttributeSchema{Name: a.name})
	}
	for _, b := range n.spec.blocks {
		s := hcl.BlockHeaderSchema{Type: b.name}
		if b.label != nil {
			s.LabelNames = []string{"name"}
		}
		want.Blocks = append(want.Blocks, s)
	}
	content, rest, found := body.PartialContent(&want)
	d.diags.addHCL(found, n.where)
	var attrs []*hcl.Attribute
	if content == nil {
		return nil, nil
	}
	attrs = slices.Collect(maps.Values(content.Attributes))
	unknown, found := rest.JustAttributes()
	d.diags.addHCL(found, n.where)
	return slices.AppendSeq(attrs, maps.Values(unknown)), content.Blocks
}

func (d *decoder) unknownArgument(a *hcl.Attribute, n *node) {
	n.bad = true
	n.misspelt = append(n.misspelt, nearest(a.Name, n.spec.argNames()))
	detail := d.elsewhere(a.Name, n.spec.argNames())
	if b := n.spec.child(a.Name); b != nil {
		detail = fmt.Sprintf("%q is a block: write %s { … }, without an equals sign.", a.Name, b.example())
	} else if len(n.spec.args) == 0 && detail == "" {
		detail = fmt.Sprintf("Only blocks stand here: %s. A value to be used elsewhere: locals { %s = … }.", enumerate(n.spec.blockNames(), "and"), a.Name)
		if near := nearest(a.Name, n.spec.blockNames()); near != "" {
			detail = fmt.Sprintf("Did you mean the block %s { … }?", n.spec.child(near).example())
		}
	}
	d.error(n, a.NameRange, fmt.Sprintf("unknown argument %q", a.Name), detail)
}

// elsewhere says where a name that is unknown here may belong: to something like it, or into another block.
func (d *decoder) elsewhere(name string, candidates []string) string {
	if near := nearest(name, candidates); near != "" {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	parents := slices.Compact(slices.Sorted(slices.Values(d.schema.parentsOf(name))))
	if len(parents) > 0 {
		return fmt.Sprintf("%q belongs in a block %s.", name, enumerate(parents, "or"))
	}
	return didYouMean(name, candidates)
}

// checkBlock complains about a block that is unknown, or lacks a name.
func (d *decoder) checkBlock(b *hcl.Block, n *node) bool {
	spec := n.spec.child(b.Type)
	switch {
	case spec == nil:
		n.bad = true
		detail := d.elsewhere(b.Type, n.spec.blockNames())
		if _, ok := n.spec.argument(b.Type); ok {
			detail = fmt.Sprintf("%q is an argument: write %s = …", b.Type, b.Type)
		}
		d.error(n, b.TypeRange, fmt.Sprintf("unknown block %q", b.Type), detail)
	case spec.label == nil && len(b.Labels) > 0:
		n.bad = true
		d.error(n, b.LabelRanges[0], fmt.Sprintf("a block %q has no name", b.Type), fmt.Sprintf("Write %s { … }.", b.Type))
	case spec.label != nil && len(b.Labels) == 0:
		n.bad = true
		d.error(n, b.TypeRange, fmt.Sprintf("a block %q needs a name", b.Type), fmt.Sprintf("Write, for instance, %s { … }.", spec.example()))
	case spec.label != nil && len(b.Labels) > 1:
		n.bad = true
		d.error(n, b.LabelRanges[1], fmt.Sprintf("a block %q has one name only", b.Type), "")
	default:
		return true
	}
	return false
}

// children decodes blocks into n.
func (d *decoder) children(n *node, blocks []*hcl.Block) {
	for _, b := range blocks {
		if b.Type == "locals" {
			continue
		}
		spec := n.spec.child(b.Type)
		child := d.block(b, spec, n)
		// The later one is only looked at by itself: compared with the rest it would be wrong in every way.
		if d.repeated(n, child) {
			n.bad = true
			continue
		}
		n.blocks[b.Type] = append(n.blocks[b.Type], child)
	}
}

// repeated complains if n has a block already that leaves no room for child.
func (d *decoder) repeated(n, child *node) bool {
	name := child.spec.name
	for _, earlier := range n.blocks[name] {
		if !child.spec.many {
			d.error(n, child.head, fmt.Sprintf("a second block %q", name), "It may stand only once: move everything into one.",
				here(earlier.head, "the first one"))
			return true
		}
		if child.spec.unique && strings.EqualFold(earlier.label, child.label) {
			d.error(n, child.name, fmt.Sprintf("a second %s %q", name, child.label), "Blocks do not override one another: give it another name, or move everything into one.",
				here(earlier.name, "the first one"))
			return true
		}
	}
	return false
}

func (d *decoder) block(b *hcl.Block, spec *block, parent *node) *node {
	n := &node{spec: spec, head: b.DefRange, name: b.DefRange, values: map[string]*value{}, blocks: map[string][]*node{}}
	n.where = spec.name
	if spec.label != nil {
		n.label, n.name = b.Labels[0], b.LabelRanges[0]
		n.where += fmt.Sprintf(" %q", n.label)
	}
	if parent.where != "" {
		n.where = parent.where + ", " + n.where
	}
	attrs, blocks := d.content(b.Body, n)
	for _, a := range attrs {
		arg, _ := spec.argument(a.Name)
		if v := d.value(n, arg, a); v != nil {
			n.values[a.Name] = v
			n.bad = n.bad || !v.ok
		}
	}
	d.defaults(n)
	d.children(n, blocks)
	return n
}

// defaults fills in what isn't written.
func (d *decoder) defaults(n *node) {
	for _, a := range n.spec.args {
		if n.values[a.name] != nil {
			continue
		}
		if a.required {
			n.bad = true
			if slices.Contains(n.misspelt, a.name) {
				continue // one mistake, one complaint
			}
			d.error(n, n.head, fmt.Sprintf("the argument %q is missing", a.name), fmt.Sprintf("Write, for instance: %s = %s", a.name, a.example))
			continue
		}
		if a.fallback != "" {
			n.values[a.name] = fallbackValue(a)
		}
	}
}

// fallbackValue is the value of an argument that isn't written. A default that its own kind refuses is a bug of the schema.
func fallbackValue(a argument) *value {
	expr, found := hclsyntax.ParseExpression([]byte(a.fallback), "default", hcl.InitialPos)
	if found.HasErrors() {
		panic(found)
	}
	v, found := expr.Value(nil)
	if found.HasErrors() {
		panic(found)
	}
	out := &value{name: a.name, ok: true}
	if a.kind.elem != nil {
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			out.elems = append(out.elems, mustElem(a, *a.kind.elem, e))
		}
		return out
	}
	out.v = mustElem(a, a.kind, v).v
	return out
}

func mustElem(a argument, k kind, v cty.Value) elem {
	parsed, err := k.parse(v)
	if err != nil {
		panic(fmt.Sprintf("default of %s: %v", a.name, err))
	}
	return elem{v: parsed}
}

// only returns the block of this name, or one with nothing but defaults if it isn't written.
func (d *decoder) only(n *node, name string) *node {
	if found := n.blocks[name]; len(found) > 0 {
		return found[0]
	}
	implied := &node{
		spec: n.spec.child(name), where: n.where, head: n.head, name: n.name,
		values: map[string]*value{}, blocks: map[string][]*node{},
	}
	d.defaults(implied)
	return implied
}

func (d *decoder) error(n *node, at hcl.Range, summary, detail string, related ...Related) {
	d.diags.add(Diagnostic{Severity: SeverityError, Summary: summary, Detail: detail, Context: n.where, Place: place(at), Related: related})
}

func (d *decoder) warn(n *node, at hcl.Range, summary, detail string, related ...Related) {
	d.diags.add(Diagnostic{Severity: SeverityWarning, Summary: summary, Detail: detail, Context: n.where, Place: place(at), Related: related})
}
