package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/control"
)

// completionPatience is how long the shell is kept waiting for words, whatever the daemon does.
const completionPatience = time.Second

// mostCompletions is how many words the shell gets: nobody reads more.
const mostCompletions = 500

// source is where the words for the shell come from: a daemon, and where none answers the configuration.
type source struct {
	client *control.Client
	config *config.Config // nil if there is none that loads
}

// word is a completion with what it stands for. It goes to a shell, so that a text with anything in it that means something there is none.
func word(text, meaning string) cobra.Completion {
	if strings.ContainsFunc(text, special) {
		return ""
	}
	if text == "" || meaning == "" {
		return text
	}
	return cobra.CompletionWithDesc(text, printable(meaning))
}

func special(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune("-_.:/@+", r)
}

// complete lets the shell complete a flag by what is known.
func complete(cmd *cobra.Command, g *global, flag string, words func(context.Context, source) []cobra.Completion) {
	// It fails for flags that don't exist only.
	_ = cmd.RegisterFlagCompletionFunc(flag, completion(g, words))
}

// completeFixed lets the shell complete a flag by words that never change.
func completeFixed(cmd *cobra.Command, flag string, words ...cobra.Completion) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// completeFiles says that a flag names a file, or a directory.
func completeFiles(cmd *cobra.Command, flag string) {
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault))
}

func completion(g *global, words func(context.Context, source) []cobra.Completion) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionPatience)
		defer cancel()
		found := make(chan []cobra.Completion, 1)
		// Beside: a configuration on a file system that hangs can't be given up.
		go func() {
			cfg, diags := config.Load(g.config)
			if diags.HasErrors() {
				cfg = nil
			}
			found <- words(ctx, source{control.NewClient(g.paths(cfg).Socket), cfg})
		}()
		select {
		case all := <-found:
			return fitting(all, args, typed), cobra.ShellCompDirectiveNoFileComp
		case <-ctx.Done():
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// fitting is the words that begin with what is typed, sorted, each once, without those that stand there already.
func fitting(all []cobra.Completion, args []string, typed string) []cobra.Completion {
	all = slices.DeleteFunc(all, func(c cobra.Completion) bool {
		text, _, _ := strings.Cut(c, "\t")
		return text == "" || !strings.HasPrefix(text, typed) || slices.Contains(args, text)
	})
	slices.Sort(all)
	all = slices.CompactFunc(all, func(a, b cobra.Completion) bool {
		a, _, _ = strings.Cut(a, "\t")
		b, _, _ = strings.Cut(b, "\t")
		return a == b
	})
	return all[:min(len(all), mostCompletions)]
}

// oneArg completes the first argument only.
func oneArg(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, word)
	}
}

// oneFile completes one file.
func oneFile(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return nil, cobra.ShellCompDirectiveDefault
}
