package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"labnet/bench/stage"
)

// corednsVersion is the release that is built, where the Go module proxy can be reached.
const corednsVersion = "v1.15.0"

// corednsMain is CoreDNS with the plugins that it needs here, and no other.
//
//go:embed native/coredns.go.txt
var corednsMain string

// corednsLimit bounds a build.
const corednsLimit = 10 * time.Minute

// buildCoreDNS builds CoreDNS in a module of its own in dir. Call it where the network is.
func buildCoreDNS(dir string) error {
	module := filepath.Join(dir, "coredns-build")
	if err := os.Mkdir(module, 0o755); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"main.go": corednsMain,
		"go.mod":  "module coredns-build\n\ngo 1.26\n\nrequire github.com/coredns/coredns " + corednsVersion + "\n",
	} {
		if err := os.WriteFile(filepath.Join(module, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), corednsLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "build", "-mod=mod", "-trimpath", "-o", filepath.Join(dir, corednsName), ".")
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOFLAGS=-buildvcs=false", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		text := strings.TrimSpace(string(out))
		return fmt.Errorf("go build: %w: %s", err, text[max(0, len(text)-300):])
	}
	return os.RemoveAll(module)
}

const corednsConfig = `. {
  bind %[1]v
  cache 3600 {
    success %[2]s
  }
  forward . %[3]v
}
%[4]s {
  bind %[1]v
  hosts %[5]s
}
`

func startCoreDNS(b *bed, s setup) (*stage.Process, error) {
	hosts, err := b.hostsFile()
	if err != nil {
		return nil, err
	}
	file, err := b.write("Corefile", fmt.Sprintf(corednsConfig, b.at().Addr(), s.capacity(), b.upstream(), localDomain, hosts))
	if err != nil {
		return nil, err
	}
	return b.start(s.cpus, []string{"GOMAXPROCS=" + strconv.Itoa(s.workers)}, b.work.coredns, "-conf", file)
}
