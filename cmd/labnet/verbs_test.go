package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// verbs is every verb that does something by itself, with those that have verbs of their own.
func verbs() []*cobra.Command {
	root := newRoot()
	adoptCompletion(root)
	root.InitDefaultHelpCmd()
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Name() != "help" {
				all = append(all, sub)
				walk(sub)
			}
		}
	}
	walk(root)
	return all
}

// line is a verb as it is typed.
func line(c *cobra.Command) []string { return strings.Fields(c.CommandPath())[1:] }

// TestEveryVerbHasHelp: --help says what it does, and shows how, with examples that the verb itself takes.
func TestEveryVerbHasHelp(t *testing.T) {
	if n := len(verbs()); n < 40 {
		t.Fatalf("only %d verbs", n)
	}
	for _, c := range verbs() {
		got := labnet(t, nil, append(line(c), "--help")...)
		if got.Code != exitDone || got.ErrOut != "" || !strings.Contains(got.Out, "Usage:") || !strings.Contains(got.Out, "Examples:\n  ") {
			t.Errorf("%s --help: %+v", c.CommandPath(), got)
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") || c.Args == nil {
			t.Errorf("%s: %q, args %t", c.CommandPath(), c.Short, c.Args != nil)
		}
		if !strings.Contains(c.Example, c.CommandPath()) && !strings.Contains(c.Example, strings.TrimSuffix(c.CommandPath(), " list")) {
			t.Errorf("%s: the example is of another verb: %s", c.CommandPath(), c.Example)
		}
		// Examples with the shell in them are shown in docs, and run there.
		for example := range strings.Lines(c.Example) {
			words := strings.Fields(example)
			at := slices.Index(words, "labnet")
			if at < 0 || strings.ContainsAny(example, `'"|>$#(&`) || slices.Contains(words, "sudo") {
				continue
			}
			if err := understands(words[at+1:]); err != nil {
				t.Errorf("%s: its example %q: %v", c.CommandPath(), strings.TrimSpace(example), err)
			}
		}
	}
}

// understands reports what is wrong with a command line, without running it.
func understands(args []string) error {
	root := newRoot()
	adoptCompletion(root)
	c, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	if c.DisableFlagParsing {
		return nil
	}
	return c.ValidateArgs(c.Flags().Args())
}

// TestEveryVerbRefusesWrongUse: flags that there aren't, formats that there aren't and arguments too many are wrong use, and nothing is done.
func TestEveryVerbRefusesWrongUse(t *testing.T) {
	for _, c := range verbs() {
		wrong := [][]string{{"--no-such-flag"}}
		if !strings.ContainsAny(c.Use, "[…") {
			wrong = append(wrong, []string{"one", "two", "three"})
		}
		if c.Flags().Lookup("output") != nil {
			wrong = append(wrong, []string{"-o", "xml"})
		}
		if strings.Contains(c.Use, " ") && !strings.Contains(c.Use, " [") {
			wrong = append(wrong, nil) // what it wants is missing
		}
		for _, args := range wrong {
			got := labnet(t, nil, append(line(c), args...)...)
			if got.Code != exitWrongUse || got.Out != "" || !strings.HasPrefix(got.ErrOut, "labnet: ") || strings.Count(got.ErrOut, "\n") > 2 {
				t.Errorf("%s %v: %+v", c.CommandPath(), args, got)
			}
		}
	}
}

// withoutDaemon is the verbs that don't speak to a daemon, or do without one.
var withoutDaemon = []string{
	"apply", "check", "completion", "confirm", "demo", "doctor", "down", "fmt", "import", "init", "leases export", "leases history", "leases import", "leases recover", "plan", "rollback", "run",
	"taps args", "upgrade", "version",
}

// TestEveryVerbWithoutADaemon: those that need one fail, by 1, and say what to do.
func TestEveryVerbWithoutADaemon(t *testing.T) {
	dir := t.TempDir()
	for _, c := range verbs() {
		path := strings.Join(line(c), " ")
		if slices.ContainsFunc(withoutDaemon, func(o string) bool { return path == o || strings.HasPrefix(path, o+" ") }) || c.HasSubCommands() && c.Flags().Lookup("output") == nil {
			continue
		}
		args := append(line(c), "--run-dir", dir, "--state-dir", dir, "-c", dir+"/none.hcl")
		for word := range strings.FieldsSeq(c.Use) {
			switch {
			case word == c.Name() || strings.HasPrefix(word, "["):
			case word == "--":
				args = append(args, "--", "true")
			case strings.ToUpper(word) == word:
				args = append(args, "52:54:00:00:00:01")
			}
		}
		switch path {
		case "leases wait":
			args = append(args, "--timeout", "1ms")
		case "top":
			args = append(args, "--once")
		case "taps add", "taps del", "taps run":
			args[slices.Index(args, "52:54:00:00:00:01")] = "tap0"
		case "leases reserve":
			args = append(args, "--address", "10.0.0.9", "--network", "lab")
		}
		got := labnet(t, nil, args...)
		if got.Code != exitFailed || got.Out != "" || !strings.Contains(got.ErrOut, "no labnet daemon answers at "+dir) || !strings.Contains(got.ErrOut, "`labnet run`") {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// free is the flags that nobody can complete: numbers, times and texts of the caller's own.
var free = []string{
	"address", "arch", "client-id", "confirm-within", "count", "hostname", "interval", "lifetime", "mac", "name", "requested", "since", "timeout", "until", "at", "user-class", "vendor-class", "wait",
	"subnet-id",
}

// TestEveryFlagCompletes: whatever takes one of a few values, or what is known, completes, and so do arguments.
func TestEveryFlagCompletes(t *testing.T) {
	root := newRoot()
	adoptCompletion(root)
	for _, c := range append(verbs(), root) {
		if c.Hidden || c.Name() == "completion" {
			continue
		}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if _, ok := c.GetFlagCompletionFunc(f.Name); !ok && f.Value.Type() != "bool" && !f.Hidden && !slices.Contains(free, f.Name) {
				t.Errorf("%s --%s (%s) doesn't complete", c.CommandPath(), f.Name, f.Value.Type())
			}
		})
		if strings.Contains(c.Use, " ") && c.ValidArgsFunction == nil && len(c.ValidArgs) == 0 && c.Parent() != nil {
			t.Errorf("%s: its arguments don't complete", c.CommandPath())
		}
	}
}
