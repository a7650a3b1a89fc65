// Command labnet runs the network of a lab's virtual machines from one HCL file, and inspects it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
)

// version is set by the linker; a plain `go build` leaves it to the build information.
var version string

// Exit codes, stable and documented.
const (
	exitDone     = 0
	exitFailed   = 1
	exitChanges  = 2 // plan --detailed-exitcode: there is something to do
	exitWrongUse = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(execute(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errOut)
	adoptCompletion(root)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	if exit, ok := errors.AsType[exitError](err); ok {
		if exit.err != nil {
			fmt.Fprintln(errOut, "labnet:", visible(exit.err.Error()))
		}
		return exit.code
	}
	fmt.Fprintln(errOut, "labnet:", visible(err.Error()))
	if errors.Is(err, os.ErrPermission) && os.Geteuid() != 0 && !strings.Contains(err.Error(), "root") {
		fmt.Fprintln(errOut, "  this needs root: run it with sudo")
	}
	return exitFailed
}

// exitError ends the command with a code of its own; a nil err means that everything is said already.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func wrongUse(format string, args ...any) error {
	return exitError{exitWrongUse, fmt.Errorf(format, args...)}
}

func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
