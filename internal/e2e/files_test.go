package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func nonEmpty(path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() == 0 {
		err = fmt.Errorf("%s is empty", path)
	}
	return err
}

// limit is how long a test waits for what should happen at once.
const limit = 15 * time.Second

func itoa(n int) string { return strconv.Itoa(n) }

// exitCode is a command's exit code; 0 for success, -1 if it didn't run.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return -1
}

// tryBinary runs labnet where the test runs: for verbs that look at files only.
func tryBinary(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command(binary(t), args...).Output()
	return string(out), err
}
