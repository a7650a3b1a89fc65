package doctor

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// saying is a finding that the source can make.
type saying struct {
	at, format string
	status     Status
	pattern    *regexp.Regexp
	literal    int // bytes that aren't filled in
}

var verb = regexp.MustCompile(`%[a-z]`)

// sayings finds every call of ok, warn, fail and add in the source of this package.
func sayings(t *testing.T) (list []saying) {
	t.Helper()
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	formatAt := map[string]int{"ok": 0, "warn": 1, "fail": 1, "add": 2}
	for _, file := range files {
		if name := file.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || name == "finding.go" {
			continue
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			if made, ok := n.(*ast.CompositeLit); ok {
				if name, ok := made.Type.(*ast.Ident); ok && name.Name == "Finding" {
					t.Errorf("%v: a finding is made by hand: no test sees whether it has a case", set.Position(n.Pos()))
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			i, ok := formatAt[method.Sel.Name]
			if !ok || len(call.Args) <= i {
				return true
			}
			text, ok := call.Args[i].(*ast.BasicLit)
			if !ok {
				t.Errorf("%v: the text isn't written here", set.Position(n.Pos()))
				return true
			}
			s := saying{at: set.Position(n.Pos()).String(), status: Status(method.Sel.Name)}
			if s.status == "add" {
				s.status = OK
			}
			if s.format, err = strconv.Unquote(text.Value); err != nil {
				t.Fatal(err)
			}
			s.literal = len(verb.ReplaceAllString(s.format, ""))
			s.pattern = regexp.MustCompile("^" + verb.ReplaceAllString(regexp.QuoteMeta(s.format), "(.*)") + "$")
			list = append(list, s)
			return true
		})
	}
	return list
}

// TestEveryFindingHasACase fails if something can be printed that no case of TestJudgements shows. A finding is one of the most particular
// text that fits it.
func TestEveryFindingHasACase(t *testing.T) {
	all := sayings(t)
	shown := map[string]bool{}
	key := func(s saying) string { return string(s.status) + " " + s.format }
	for _, k := range append(append([]kase{}, hostCases...), guestCases...) {
		for _, f := range k.judged() {
			best := saying{literal: -1}
			for _, s := range all {
				if s.status == f.Status && s.literal > best.literal && s.pattern.MatchString(f.What) {
					best = s
				}
			}
			if best.literal < 0 {
				t.Errorf("nothing in the source says %q", f.What)
			}
			shown[key(best)] = true
		}
	}
	for _, s := range all {
		// That nobody is who was asked for is said by ExamineGuest itself; the end-to-end test has it.
		if !shown[key(s)] && !strings.HasPrefix(s.at, "guest.go") {
			t.Errorf("%s: no case shows [%s] %q", s.at, s.status, s.format)
		}
	}
	if len(all) < 80 {
		t.Errorf("only %d findings were seen in the source", len(all))
	}
}
