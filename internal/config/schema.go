package config

// The schema says once what a configuration may contain. Decoding, defaults, "did you mean" and the reference in
// docs/config.md all come from it.

// block is one kind of block.
type block struct {
	name   string
	label  *label // nil: the block has no name
	many   bool   // may stand more than once
	unique bool   // but with a name of its own each time
	doc    string
	args   []argument
	blocks []*block
	needs  []string // arguments without which it makes no sense; the reference's examples are tried out with them
}

// label is the name of a block.
type label struct {
	doc     string
	example string
}

// argument is one argument of a block.
type argument struct {
	name     string
	kind     kind
	required bool
	fallback string // the default, as it would be written; empty: none, or computed
	computed string // the default in words, where it is computed
	doc      string
	example  string
	file     string   // the file that the example is tried out in, with … in its place, where it isn't the block's own
	with     []string // the arguments that the example is tried out with, where they aren't the block's needs; nil: they are
}

func (b *block) argNames() []string {
	var names []string
	for _, a := range b.args {
		names = append(names, a.name)
	}
	return names
}

func (b *block) blockNames() []string {
	var names []string
	for _, c := range b.blocks {
		names = append(names, c.name)
	}
	return names
}

func (b *block) argument(name string) (argument, bool) {
	for _, a := range b.args {
		if a.name == name {
			return a, true
		}
	}
	return argument{}, false
}

func (b *block) child(name string) *block {
	for _, c := range b.blocks {
		if c.name == name {
			return c
		}
	}
	return nil
}

// parentsOf returns the names of the blocks, from b downwards, that take an argument or a block of this name.
func (b *block) parentsOf(name string) []string {
	var found []string
	for _, c := range b.blocks {
		_, isArgument := c.argument(name)
		if isArgument || c.child(name) != nil {
			found = append(found, c.name)
		}
		found = append(found, c.parentsOf(name)...)
	}
	return found
}

// example is how a block of this kind is opened, for messages.
func (b *block) example() string {
	if b.label == nil {
		return b.name
	}
	return b.name + ` "` + b.label.example + `"`
}

// schema returns the whole file as a block without a name.
func schema() *block {
	topHost := hostBlock()
	topHost.doc += " At the top level, for a file that is dropped into the directory, `network` says where it belongs."
	topHost.args = append([]argument{{
		name: "network", kind: label63(), required: true,
		doc: "the network that the host belongs to", example: `"lab"`,
	}}, topHost.args...)
	topHost.needs = append([]string{"network"}, topHost.needs...)
	return &block{blocks: []*block{
		{
			name: "locals", many: true,
			doc: "Values with a name, used elsewhere as `local.NAME`. Any argument may stand here; values may refer to each other. " +
				"The block may stand more than once, each name only once.",
		},
		daemonBlock(), networkBlock(), resolverBlock(), hookBlock(), apiBlock(), metricsBlock(), topHost, topTAPBlock(), topPublishBlock(), topRouteBlock(),
	}}
}
