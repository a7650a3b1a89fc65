package config

import (
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// kind is a type of argument: how it is called in the reference, and how a value becomes one of ours.
type kind struct {
	name   string
	values []string // the choices of an enumeration
	elem   *kind    // the type of a list's elements
	parse  func(cty.Value) (any, error)
}

// fault is why a value isn't what it should be.
type fault struct {
	summary string
	detail  string // what to do about it
}

func (f *fault) Error() string { return f.summary }

func faultf(detail, summary string, args ...any) error {
	return &fault{summary: fmt.Sprintf(summary, args...), detail: detail}
}

// ofText is a kind that is written as text.
func ofText(name string, parse func(string) (any, error)) kind {
	return kind{name: name, parse: func(v cty.Value) (any, error) {
		converted, err := convert.Convert(v, cty.String)
		if err != nil {
			return nil, faultf("Write one value.", "expected %s, not %s", withArticle(name), withArticle(v.Type().FriendlyName()))
		}
		return parse(converted.AsString())
	}}
}

func text() kind {
	return ofText("text", func(s string) (any, error) { return s, nil })
}

func upperText() kind {
	return ofText("text", func(s string) (any, error) { return strings.ToUpper(s), nil })
}

func oneOf(values ...string) kind {
	k := ofText("text", func(s string) (any, error) {
		if !slices.Contains(values, s) {
			if n := nearest(s, values); n != "" {
				return nil, faultf(fmt.Sprintf("Did you mean %q?", n), "%q is not one of %s", s, enumerate(values, "or"))
			}
			return nil, faultf("", "%q is not possible here: it must be %s", s, enumerate(values, "or"))
		}
		return s, nil
	})
	k.name, k.values = "choice", values
	return k
}

func boolean() kind {
	return kind{name: "true or false", parse: func(v cty.Value) (any, error) {
		converted, err := convert.Convert(v, cty.Bool)
		if err != nil {
			return nil, faultf("Write true or false, without quotes.", "expected true or false")
		}
		return converted.True(), nil
	}}
}

func integer(least, most int64) kind {
	return kind{name: "number", parse: func(v cty.Value) (any, error) {
		n, err := wholeNumber(v)
		if err != nil {
			return nil, err
		}
		if n < least || n > most {
			return nil, faultf(fmt.Sprintf("It must be from %d to %d.", least, most), "%d is out of range", n)
		}
		return int(n), nil
	}}
}

func wholeNumber(v cty.Value) (int64, error) {
	converted, err := convert.Convert(v, cty.Number)
	if err != nil {
		return 0, faultf("Write digits, without quotes.", "expected a number")
	}
	f := converted.AsBigFloat()
	n, accuracy := f.Int64()
	if accuracy != big.Exact {
		return 0, faultf("", "expected a whole number of usual size, not %s", f.Text('g', 10))
	}
	return n, nil
}

// anything leaves the value as it is, for whoever knows its type later.
func anything() kind {
	return kind{name: "any", parse: func(v cty.Value) (any, error) { return v, nil }}
}

// listOf is a list; a single value needs no brackets.
func listOf(elem kind) kind {
	return kind{name: "list of " + plural(elem.name), elem: &elem}
}

func plural(noun string) string {
	if strings.HasSuffix(noun, "s") || strings.HasSuffix(noun, "x") {
		return noun + "es"
	}
	return noun + "s"
}

func withArticle(noun string) string {
	switch {
	case noun == "text" || noun == "true or false" || noun == "":
		return noun
	case noun == "string":
		return "text"
	case noun == "MAC address":
		return "a MAC address"
	case noun == "IPv4 address":
		return "an IPv4 address"
	case strings.ContainsRune("aeiou", rune(noun[0])):
		return "an " + noun
	default:
		return "a " + noun
	}
}
