package config

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// label63 is one part of a host name (RFC 1123 section 2.1), in lower case.
func label63() kind {
	return ofText("name", func(s string) (any, error) {
		return strings.ToLower(s), checkLabel(s)
	})
}

// hostLabel is a name that DNS gives to a host, in lower case.
func hostLabel() kind {
	return ofText("name", func(s string) (any, error) {
		return strings.ToLower(s), CheckHostName(s)
	})
}

// CheckHostName returns why s can't be the name of a host block, and nil where it can.
func CheckHostName(s string) error {
	if s != "" && strings.Trim(s, "0123456789") == "" {
		return faultf("A host's name has a letter in it, lest it is taken for a part of an address.", "the name %q is all digits", s)
	}
	return checkLabel(s)
}

// domainName is a domain of such labels, in lower case and without the last dot.
func domainName() kind {
	return ofText("domain", func(s string) (any, error) {
		domain := strings.ToLower(strings.TrimSuffix(s, "."))
		if domain == "" {
			return nil, faultf("", "the domain is empty")
		}
		if len(domain) > 253 {
			return nil, faultf("A domain has at most 253 (RFC 1035).", "the domain has %d bytes", len(domain))
		}
		if rest, ok := strings.CutPrefix(domain, "."); ok {
			return nil, faultf(fmt.Sprintf("Names below a domain belong to it anyway: write %q.", rest), "the domain %q begins with a dot", s)
		}
		for l := range strings.SplitSeq(domain, ".") {
			if err := checkLabel(l); err != nil {
				return nil, err
			}
		}
		return domain, nil
	})
}

// zoneName is a domain that may also have service labels such as _msdcs (RFC 8552) in it.
func zoneName() kind {
	return ofText("domain", func(s string) (any, error) {
		if _, err := domainName().parse(cty.StringVal(strings.ReplaceAll(s, "_", "x"))); err != nil {
			return domainName().parse(cty.StringVal(s))
		}
		return strings.ToLower(strings.TrimSuffix(s, ".")), nil
	})
}

func checkLabel(s string) error {
	const help = "A name has 1 to 63 letters, digits and hyphens, and no hyphen at its ends (RFC 1123)."
	switch {
	case s == "":
		return faultf(help, "a part of the name is empty")
	case len(s) > 63:
		return faultf(help, "%q has %d bytes", s, len(s))
	case strings.HasPrefix(s, "-") || strings.HasSuffix(s, "-"):
		return faultf(help, "%q begins or ends with a hyphen", s)
	}
	for _, c := range s {
		switch {
		case c > 127:
			return faultf("DNS knows such names in their xn-- form only (punycode).", "%q has %q in it", s, c)
		case c == '_':
			return faultf(fmt.Sprintf("Names of hosts have no underscore: did you mean %q?", strings.Trim(strings.ReplaceAll(s, "_", "-"), "-")), "%q has an underscore in it", s)
		case c == '.':
			return faultf("The domain is added by itself.", "%q has a dot in it", s)
		case !isLetterDigit(c) && c != '-':
			return faultf(help, "%q has %q in it", s, c)
		}
	}
	return nil
}

func isLetterDigit(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
