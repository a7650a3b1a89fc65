package config

import (
	"bytes"
	"strings"

	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the canonical style: two spaces a level, equals signs in line. It changes white space only. With a mistake of syntax
// it returns nil and says where; filename is for the messages.
func Format(src []byte, filename string) ([]byte, *Diagnostics) {
	diags := newDiagnostics()
	diags.addSource(filename, src)
	if strings.HasSuffix(filename, ".json") {
		diags.addFile(filename, "JSON is not formatted", "Only HCL is: use a formatter for JSON.")
		return nil, diags
	}
	if parse(source{filename, src}, diags) == nil {
		return nil, diags
	}
	formatted := bytes.TrimRight(hclwrite.Format(src), " \t\r\n")
	if len(formatted) == 0 {
		return formatted, diags
	}
	return append(formatted, '\n'), diags
}
