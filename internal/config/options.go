package config

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// options returns the options of a dhcp or host block, encoded.
func (b *builder) options(n *node, p *networkParts) []Option {
	var out []Option
	codes := map[uint8]*node{}
	for _, o := range n.blocks["option"] {
		def, ok := b.optionDefinition(o, n.spec.name)
		if !ok {
			continue
		}
		if earlier, ok := codes[def.code]; ok {
			b.error(o, o.name, fmt.Sprintf("option %d (%s) is set twice", def.code, def.name), "An option may have a list of values.", here(earlier.name, "the first one"))
			continue
		}
		codes[def.code] = o
		if o.values["value"] == nil || !o.values["value"].ok {
			continue
		}
		if data, ok := b.encodeOption(o, def, p); ok {
			out = append(out, Option{Name: o.label, Code: def.code, Data: data, Always: get[bool](o, "always")})
		}
	}
	return out
}

// optionDefinition finds out which option a block is about, and how its value is encoded.
func (b *builder) optionDefinition(o *node, scope string) (optionDef, bool) {
	if def, ok := findOption(o.label); ok {
		for _, name := range []string{"code", "type"} {
			if o.has(name) {
				b.error(o, o.at(name), fmt.Sprintf("%q is option %d, of type %s", o.label, def.code, def.kind.doc()), fmt.Sprintf("Leave %q out, or call the option something else.", name))
				return optionDef{}, false
			}
		}
		if def.hostOnly && scope != "host" {
			b.error(o, o.name, fmt.Sprintf("%q is for one host, not for all of a network", o.label), "Put it into the host block.")
			return optionDef{}, false
		}
		return def, true
	}
	if reason, ok := ownedNames()[normalOption(o.label)]; ok {
		b.error(o, o.name, fmt.Sprintf("the option %q can't be set: %s", o.label, reason), "Leave it out.")
		return optionDef{}, false
	}
	if !o.has("code") && !o.has("type") {
		b.error(o, o.name, fmt.Sprintf("there is no option %q", o.label), optionHint(o.label))
		return optionDef{}, false
	}
	for _, name := range []string{"code", "type"} {
		if !o.has(name) {
			b.error(o, o.name, fmt.Sprintf("the argument %q is missing", name), fmt.Sprintf("labnet has no option %q of its own. %s", o.label, optionHint(o.label)))
			return optionDef{}, false
		}
	}
	if o.wrong("code") || o.wrong("type") {
		return optionDef{}, false
	}
	code := uint8(get[int](o, "code"))
	if reason, ok := ownedCodes(code); ok {
		b.error(o, o.at("code"), fmt.Sprintf("option %d can't be set: %s", code, reason), "Leave it out.")
		return optionDef{}, false
	}
	return optionDef{name: o.label, code: code, kind: optionKind(get[string](o, "type"))}, true
}

// optionHint suggests a name, by our own names and by those that dnsmasq has for the same options.
func optionHint(name string) string {
	foreign := map[string]string{}
	var names []string
	for _, def := range optionTable() {
		names = append(names, def.name)
		if def.dnsmasq != "" {
			foreign[def.dnsmasq] = def.name
		}
	}
	if ours, ok := foreign[strings.TrimPrefix(name, "option:")]; ok {
		return fmt.Sprintf("Did you mean %q?", ours)
	}
	if n := nearest(name, names); n != "" {
		return fmt.Sprintf("Did you mean %q?", n)
	}
	return `An option without a name here needs code and type: option "wpad" { code = 252, type = "text", value = … }`
}

// encodeOption turns the value of an option block into the bytes for the wire.
func (b *builder) encodeOption(o *node, def optionDef, p *networkParts) ([]byte, bool) {
	v := o.values["value"]
	elems, ok := b.elements(o, "value", v.expr, v.v.(cty.Value))
	if !ok {
		return nil, false
	}
	if len(elems) == 0 {
		b.error(o, v.at, fmt.Sprintf("the option %q has no value", o.label), "Leave the block out if it shall not be sent.")
		return nil, false
	}
	if !def.kind.many() && len(elems) > 1 {
		b.error(o, elems[1].at, fmt.Sprintf("the option %q has one value only", o.label), "")
		return nil, false
	}
	enc := optionEncoder{def: def, gateway: p.Address}
	for _, e := range elems {
		warning, err := enc.add(e.v.(cty.Value))
		if err != nil {
			b.fault(o, e.at, err)
			ok = false
		} else if warning != "" {
			b.warn(o, e.at, warning, "")
		}
	}
	if !ok {
		return nil, false
	}
	data, err := enc.finish()
	if err != nil {
		b.fault(o, v.at, err)
		return nil, false
	}
	if len(data) > maxOptionData {
		b.error(o, v.at, fmt.Sprintf("the option %q has %d bytes", o.label, len(data)), fmt.Sprintf("More than %d never fit into a DHCP message beside the rest.", maxOptionData))
		return nil, false
	}
	return data, true
}

// maxOptionData leaves room for the header and the usual options in an Ethernet frame's 1472 bytes of UDP.
const maxOptionData = 1024
