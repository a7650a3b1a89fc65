package daemon

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// mostSaid bounds what is kept of a program's words, in bytes.
const mostSaid = 4 << 10

// said is the beginning of what a program says.
type said struct{ bytes.Buffer }

func (s *said) Write(text []byte) (int, error) {
	s.Buffer.Write(text[:min(len(text), max(0, mostSaid-s.Len()))])
	return len(text), nil
}

// testProgram runs a program, and returns the line that it writes to its standard output.
func testProgram(ctx context.Context, program string, args, env []string) (line string, err error) {
	var out, errOut said
	cmd := exec.CommandContext(ctx, program, args...)
	// It is no service of its own.
	cmd.Env = slices.DeleteFunc(env, func(entry string) bool {
		return strings.HasPrefix(entry, "NOTIFY_SOCKET=") || strings.HasPrefix(entry, "WATCHDOG_")
	})
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if text := strings.Join(strings.Fields(errOut.String()), " "); text != "" {
			return "", fmt.Errorf("%s isn't fit to take over (%w): %s", program, err, text)
		}
		return "", fmt.Errorf("%s isn't fit to take over: %w", program, err)
	}
	line = strings.TrimSpace(out.String())
	if line == "" || strings.ContainsAny(line, "\n") {
		return "", fmt.Errorf("%s isn't fit to take over: it doesn't tell its version, but %q", program, line)
	}
	return line, nil
}
