package main

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// writeYAMLList writes a list with the fields of its JSON, in their order.
func writeYAMLList[T any](w io.Writer, all iter.Seq2[T, error]) error {
	empty := true
	err := writeEach(all, func(v T) error {
		empty = false
		text, err := encodeYAML([]T{v})
		if err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	if err != nil || !empty {
		return err
	}
	_, err = io.WriteString(w, "[]\n")
	return err
}

// objectFormats are what a verb that says one thing can say it as; the first is the default.
var objectFormats = []string{"text", "json", "yaml"}

// writeObject writes v for programs: every format but text.
func writeObject(w io.Writer, out format, v any) error {
	if out == "yaml" {
		return writeYAML(w, v)
	}
	return writeJSON(w, v)
}

// writeYAML writes v with the fields of its JSON, in their order.
func writeYAML(w io.Writer, v any) error {
	text, err := encodeYAML(v)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// encodeYAML goes by way of JSON, which is YAML already, all in quotes and braces.
func encodeYAML(v any) ([]byte, error) {
	text, err := marshal(v, "", "")
	if err != nil {
		return nil, err
	}
	var document yaml.Node
	if err := yaml.Unmarshal(escapeYAML(text), &document); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	plain(&document)
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, fmt.Errorf("writing YAML: %w", err)
	}
	return escapeYAML(out.String()), encoder.Close()
}

// plain takes off the quotes and braces that YAML can do without. A text keeps its quotes where something in it doesn't print, so that it
// can be escaped, and where YAML 1.1, which many still read, takes it for a number or a truth: 52:54:00:00:00:01 is one to the base of 60.
func plain(n *yaml.Node) {
	n.Style = 0
	if n.Kind == yaml.ScalarNode && n.Tag == "!!str" && (strings.ContainsFunc(n.Value, unprintable) || strings.Trim(n.Value, "0123456789:_.+-") == "" || oldTruth[strings.ToLower(n.Value)]) {
		n.Style = yaml.DoubleQuotedStyle
	}
	for _, child := range n.Content {
		plain(child)
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

var oldTruth = map[string]bool{"y": true, "n": true, "yes": true, "no": true, "on": true, "off": true}

// escapeYAML escapes what doesn't print and YAML would let pass.
func escapeYAML(text string) []byte {
	escaped := make([]byte, 0, len(text))
	for _, r := range text {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			escaped = append(escaped, string(r)...)
		case r > 0xffff:
			escaped = fmt.Appendf(escaped, `\U%08x`, r)
		default:
			escaped = fmt.Appendf(escaped, `\u%04x`, r)
		}
	}
	return escaped
}
