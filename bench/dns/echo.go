package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"labnet/bench/stage"
)

//go:embed native/echo.c
var echoSource string

// buildEcho compiles the echo.
func (b *bench) buildEcho() error {
	if !slices.ContainsFunc(b.tested, func(s *subject) bool { return s.name == echoName || s.name == ruledName }) {
		return nil
	}
	source := filepath.Join(b.work.dir, "echo.c")
	if err := os.WriteFile(source, []byte(echoSource), 0o644); err != nil {
		return err
	}
	b.work.echo = filepath.Join(b.work.dir, "echo")
	if out, err := exec.Command("gcc", "-O2", "-o", b.work.echo, source).CombinedOutput(); err != nil {
		return fmt.Errorf("compiling the echo: %w: %s", err, out)
	}
	return nil
}

// startEcho starts the ceiling: an echo with the batch that labnet has.
func (o *options) startEcho(b *bed, s setup) (*stage.Process, error) {
	return b.start(s.cpus, nil, b.work.echo, b.at().Addr().String(), "53", strconv.Itoa(o.echoBatch), strconv.Itoa(s.workers))
}

// startGoEcho starts the same in Go, which tells what the language costs.
func (o *options) startGoEcho(b *bed, s setup) (*stage.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, []string{"GOMAXPROCS=1", "GOGC=off", "GODEBUG=asyncpreemptoff=1"}, program, "echo", b.at().String(), strconv.Itoa(o.echoBatch))
}
