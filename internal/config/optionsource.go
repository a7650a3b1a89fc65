package config

import (
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// OptionSource returns how the configuration says an option with these bytes: its name, and its value as a string, an int64, a bool or a
// []string. It is false for options without a name, and for bytes that no value of the option comes to.
func OptionSource(code uint8, data []byte) (name string, value any, ok bool) {
	for _, def := range optionTable() {
		if def.code != code {
			continue
		}
		text, ok := def.describe(data)
		if !ok && def.kind == optHex {
			text, ok = hexText(data), len(data) > 0
		}
		if !ok {
			return "", nil, false
		}
		value, encoded := def.source(text)
		return def.name, value, encoded != nil && string(encoded) == string(data)
	}
	return "", nil, false
}

// source is a described value as the configuration has it, and the bytes that it comes to; nil if it is none.
func (d optionDef) source(text string) (any, []byte) {
	var value any = text
	elems := []cty.Value{cty.StringVal(text)}
	switch {
	case d.kind.many():
		list := strings.Split(text, ", ")
		elems = nil
		for _, one := range list {
			elems = append(elems, cty.StringVal(one))
		}
		if d.kind == optU16List {
			elems = nil
			for _, one := range list {
				n, _ := strconv.ParseInt(one, 10, 64)
				elems = append(elems, cty.NumberIntVal(n))
			}
		}
		value = list
	case d.kind == optBool:
		value = text == "true"
		elems[0] = cty.BoolVal(text == "true")
	case d.kind == optU8 || d.kind == optU16 || d.kind == optU32 || d.kind == optI32:
		n, _ := strconv.ParseInt(text, 10, 64)
		value = n
		elems[0] = cty.NumberIntVal(n)
	}
	enc := optionEncoder{def: d}
	for _, e := range elems {
		if _, err := enc.add(e); err != nil {
			return nil, nil
		}
	}
	data, err := enc.finish()
	if err != nil {
		return nil, nil
	}
	return value, data
}
