package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"labnet/internal/nettest"
)

var (
	update = flag.Bool("update", false, "write the golden files")
	// Absolute, for tests work in directories of their own.
	testdata, _ = filepath.Abs("testdata")
)

func TestMain(m *testing.M) {
	// The environment of whoever runs the tests must not lead to a daemon of theirs.
	_ = os.Unsetenv("LABNET_SOCKET")
	// As root in namespaces of its own: a `down` that finds no daemon takes down the network that it finds.
	nettest.Main(m)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// result is what a command line came to.
type result struct {
	Code        int
	Out, ErrOut string
}

// labnet runs a command line, with in as its standard input.
func labnet(t *testing.T, in io.Reader, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	// Without arguments at all cobra would take those of the test.
	code := execute(t.Context(), append([]string{}, args...), in, &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

func TestWrongUse(t *testing.T) {
	for _, test := range []struct {
		name, args, want string
	}{
		{"unknown verb", "statsu", "did you mean status?"},
		{"far from any verb", "zzzzzzzz", "labnet --help"},
		{"unknown verb of leases", "leases lsit", "did you mean list?"},
		{"unknown flag", "status --wiat 1s", "labnet status --help"},
		{"unknown flag of the root", "--nonsense", "labnet --help"},
		{"unknown format", "status -o xml", "want one of text, json"},
		{"format of another verb", "status -o csv", "want one of text, json"},
		{"bad duration", "status --wait soon", "labnet status --help"},
		{"argument too many", "version twice", "takes no arguments"},
		{"unknown shell", "completion tcsh", `unknown command "tcsh"`},
		{"unknown shell, nearly right", "completion bsh", "did you mean bash?"},
		{"argument for a shell", "completion bash now", "takes no arguments"},
		{"argument missing", "leases show", "wants an address, a name or a MAC"},
		{"two leases", "leases release a b", "wants an address, a name or a MAC"},
		{"two files to check", "check a b", "wants one file"},
		{"check's file twice", "check a -c b", "wants one file"},
		{"fmt's file twice", "fmt a -c b", "not both"},
		{"init without a mode", "init", "wants a mode"},
		{"unknown mode", "init switched -", `there is no mode "switched"`},
		{"nothing to trace", "trace arp", `unknown command "arp"`},
		{"nothing to resolve", "explain dns", "wants a name, or an address"},
		{"no client of DNS", "trace dns --client vm1", "--client: \"vm1\" is neither"},
		{"no number of questions", "trace dns --count -1", "--count wants"},
		{"below nothing", "cache flush --below", "--below wants a name"},
		{"two names to flush", "cache flush a b", "wants one name"},
		{"no verb of the cache", "cache fulsh", "did you mean flush?"},
		{"nothing to explain", "explain dhpc x", "did you mean dhcp?"},
		{"a MAC that is none", "trace dhcp --mac 52:5x", "--mac: \"52:5x\" is no MAC"},
		{"an address that is none", "trace dhcp --addr 10.0.0", "--addr: \"10.0.0\" is neither"},
		{"no number of messages", "trace dhcp --count -1", "--count wants"},
		{"a trace of something", "trace dhcp 52:54", "takes no arguments"},
		{"nobody to explain", "explain dhcp", "wants a MAC, or the name"},
		{"a client id that is none", "explain dhcp 52:54:00:00:00:01 --client-id 0", "--client-id: \"0\" is not bytes"},
		{"an architecture that is none", "explain dhcp 52:54:00:00:00:01 --arch 65536", "--arch: there is no architecture \"65536\""},
		{"an architecture that is misspelt", "explain dhcp 52:54:00:00:00:01 --arch x86-64-efi", "Did you mean \"x86-64-uefi\"?"},
		{"half a MAC to explain", "explain dhcp 52:54:00:00:00", "\"52:54:00:00:00\" is not a MAC"},
		{"a requested address that is none", "explain dhcp 52:54:00:00:00:01 --requested vm1", "--requested: \"vm1\""},
		{"init's file twice", "init routed a -c b", "wants one file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := labnet(t, nil, strings.Fields(test.args)...)
			if got.Code != exitWrongUse || got.Out != "" || !strings.HasPrefix(got.ErrOut, "labnet: ") || !strings.Contains(got.ErrOut, test.want) {
				t.Errorf("%+v, want %q and exit code %d", got, test.want, exitWrongUse)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	for _, args := range []string{"version", "--version"} {
		if got := labnet(t, nil, args); got.Code != exitDone || !strings.HasPrefix(got.Out, "labnet "+buildVersion()) || strings.Count(got.Out, "\n") != 1 {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

func TestRootIsHelp(t *testing.T) {
	if got := labnet(t, nil); got.Code != exitDone || !strings.Contains(got.Out, "labnet demo") || got.ErrOut != "" {
		t.Errorf("%+v", got)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := labnet(t, nil, "completion", shell); got.Code != exitDone || !strings.Contains(got.Out, "labnet") {
			t.Errorf("%s: exit code %d, %d bytes, %s", shell, got.Code, len(got.Out), got.ErrOut)
		}
	}
	if got := labnet(t, nil, cobra.ShellCompRequestCmd, "leases", "-o", ""); got.Out != strings.Join(listFormats, "\n")+"\n:4\n" {
		t.Errorf("the formats of leases: %+v", got)
	}
}

// House rule: a verb says in a line what it is for, and shows how it is used.
func TestVerbsExplainThemselves(t *testing.T) {
	seen := 0
	var look func(*cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, verb := range cmd.Commands() {
			seen++
			if verb.Short == "" || strings.HasSuffix(verb.Short, ".") {
				t.Errorf("%s: Short is %q", verb.CommandPath(), verb.Short)
			}
			if !strings.Contains(verb.Example, verb.CommandPath()) {
				t.Errorf("%s has no example", verb.CommandPath())
			}
			if verb.RunE == nil || verb.Run != nil {
				t.Errorf("%s can't fail", verb.CommandPath())
			}
			look(verb)
		}
	}
	root := newRoot()
	adoptCompletion(root)
	look(root)
	if seen < 22 {
		t.Errorf("%d verbs looked at", seen)
	}
}

// A full disk behind standard output is a failure: a script that keeps the output must learn of it.
func TestOutputThatFails(t *testing.T) {
	inDir(t, map[string]string{"lab.hcl": tidy, "wrong.hcl": wrong})
	for _, args := range []string{"version", "init routed -", "check lab.hcl", "check lab.hcl -o json", "check wrong.hcl", "fmt -"} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		var errOut bytes.Buffer
		code := execute(t.Context(), strings.Fields(args), strings.NewReader(untidy), full, &errOut)
		_ = full.Close()
		if code != exitFailed || !strings.Contains(errOut.String(), "no space left") {
			t.Errorf("%s: exit code %d, %q", args, code, errOut.String())
		}
	}
}

// A cancelled context ends what waits, with a failure.
func TestInterruptedWait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	args := []string{"status", "--wait", "1h", "--socket", filepath.Join(t.TempDir(), "none.sock"), "-c", filepath.Join(t.TempDir(), "none.hcl")}
	if code := execute(ctx, args, nil, &out, &errOut); code != exitFailed || out.Len() > 0 {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}
