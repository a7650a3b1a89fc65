package dnsmasqconf

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// hclText is HCL as it is being written; what it holds of others is always a quoted value or a comment without control characters.
type hclText struct {
	im  *importer
	b   strings.Builder
	gap bool // a blank line is due before the next block
}

func (w *hclText) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

// comment is where something comes from.
func (w *hclText) comment(from ...int) {
	from = slices.Clone(from)
	slices.Sort(from)
	for _, at := range slices.Compact(from) {
		if at < 0 {
			continue
		}
		w.line("%s", origin(w.im.directives()[at]))
	}
}

// commentText is text of others for a comment: one line, and not too long.
func commentText(s string) string {
	const most = 120
	s = strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '\ufffd'
		}
		return c
	}, s)
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// open begins a block.
func (w *hclText) open(kind, name string, from ...int) {
	if w.gap {
		w.line("")
	}
	w.comment(from...)
	if name != "" {
		w.line("%s %s {", kind, quote(cty.StringVal(name)))
	} else {
		w.line("%s {", kind)
	}
	w.gap = false
}

func (w *hclText) shut() {
	w.line("}")
	w.gap = true
}

// set writes an argument; v is a string, a number, a bool or a list of strings.
func (w *hclText) set(name string, v any, from ...int) {
	w.comment(from...)
	w.line("%s = %s", name, quote(ctyOf(v)))
	w.gap = true
}

func ctyOf(v any) cty.Value {
	switch v := v.(type) {
	case string:
		return cty.StringVal(strings.ToValidUTF8(v, "\ufffd"))
	case int:
		return cty.NumberIntVal(int64(v))
	case int64:
		return cty.NumberIntVal(v)
	case bool:
		return cty.BoolVal(v)
	case []string:
		if len(v) == 0 {
			return cty.ListValEmpty(cty.String)
		}
		var all []cty.Value
		for _, one := range v {
			all = append(all, ctyOf(one))
		}
		return cty.ListVal(all)
	}
	panic(fmt.Sprintf("dnsmasqconf: no value of HCL: %T", v))
}

func quote(v cty.Value) string { return string(hclwrite.TokensForValue(v).Bytes()) }
