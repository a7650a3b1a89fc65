package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/daemon"
	"labnet/internal/migrate/dnsmasqconf"
)

func newImport(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "Make a configuration of another program's",
		Example: "  labnet import dnsmasq /etc/dnsmasq.conf",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newImportDnsmasq(g))
	return cmd
}

// importFlags are those of `labnet import dnsmasq`.
type importFlags struct {
	out, blockList, hostsFile, network, root string
	addresses                                []string
	lossy                                    bool
	report                                   format
}

func newImportDnsmasq(*global) *cobra.Command {
	var f importFlags
	report := formatValue{&f.report, []string{"text", "json"}}
	f.report = "text"
	cmd := &cobra.Command{
		Use:   "dnsmasq [FILE…] [-- OPTION…]",
		Short: "Make a configuration of dnsmasq's",
		Long: `Make a configuration of what dnsmasq has: configuration files, with all that they include, and behind -- a command line as libvirt,
NetworkManager or Docker start it. It is printed, or written to the file of -o; each piece says which line it comes from.

What became of each directive is told on standard error: it is the same (exact), left out and missed by nobody (ignored), nearly the same
(approximated), or missing (unsupported). With one that is unsupported nothing is written and the exit code is 1, unless --allow-lossy.
Nothing on this host is changed. Of interfaces that the configuration names and that are on this host, the address is looked up.`,
		Example: `  labnet import dnsmasq /etc/dnsmasq.conf -o /etc/labnet/labnet.hcl
  labnet import dnsmasq /etc/dnsmasq.conf --address br0=10.0.0.1/24 --allow-lossy
  labnet import dnsmasq -- --interface=br0 --dhcp-range=10.0.0.100,10.0.0.199,12h
  labnet import dnsmasq --root /mnt/old /etc/dnsmasq.conf`,
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),

		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return wrongUse("%s wants a file, or options behind --; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			files, options := args, []string(nil)
			if at := cmd.ArgsLenAtDash(); at >= 0 {
				files, options = args[:at], args[at:]
			}
			return f.run(cmd, files, options)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "output", "o", "-", "the file to write; - is standard output")
	flags.Var(&report, "report", "the report's form: text, json")
	_ = cmd.RegisterFlagCompletionFunc("report", cobra.FixedCompletions(report.known, cobra.ShellCompDirectiveNoFileComp))
	flags.BoolVar(&f.lossy, "allow-lossy", false, "write it even if something is unsupported")
	flags.StringVar(&f.network, "network", "", `what the network is called, or how the names of several begin (default "lab")`)
	flags.StringArrayVar(&f.addresses, "address", nil, "an interface's address, INTERFACE=ADDRESS/LENGTH, or ADDRESS/LENGTH alone; any number of times")
	flags.StringVar(&f.root, "root", "", "the directory that is / to the configuration, such as that of another machine's disk")
	flags.StringVar(&f.hostsFile, "hosts-file", "", "the hosts file for names outside the networks' domains (default: the file of -o with .hosts in place of .hcl)")
	flags.StringVar(&f.blockList, "block-list", "", "the list for names that are blocked one by one (default: the file of -o with .blocked in place of .hcl)")
	for _, flag := range []string{"output", "root", "block-list", "hosts-file"} {
		completeFiles(cmd, flag)
	}
	_ = cmd.RegisterFlagCompletionFunc("network", cobra.NoFileCompletions) // the caller's to choose
	return cmd
}

func (f *importFlags) run(cmd *cobra.Command, files, options []string) error {
	o := dnsmasqconf.Options{Network: f.network, Root: f.root, Stdin: cmd.InOrStdin(), Running: runningInterface}
	if f.root != "" {
		o.Running = nil // another machine's
	}
	if err := config.CheckHostName("x" + f.network); f.network != "" && err != nil {
		return wrongUse("--network: %w", err)
	}
	for _, text := range f.addresses {
		name, address, both := strings.Cut(text, "=")
		if !both {
			name, address = "", text
		}
		p, err := netip.ParsePrefix(address)
		if err != nil || !p.Addr().Is4() {
			return wrongUse("--address: %q is not INTERFACE=ADDRESS/LENGTH, such as br0=10.0.0.1/24", text)
		}
		o.Addresses = append(o.Addresses, dnsmasqconf.Interface{Name: name, Prefix: p})
	}
	var err error
	if o.BlockList, err = f.beside(f.blockList, ".blocked"); err != nil {
		return err
	}
	if o.HostsFile, err = f.beside(f.hostsFile, ".hosts"); err != nil {
		return err
	}
	result, mistakes := dnsmasqconf.Import(files, options, o)
	if len(mistakes) > 0 {
		return fmt.Errorf("nothing is imported:\n%w", errors.Join(mistakes...))
	}
	if cfg, diags := config.LoadText("labnet.hcl", result.HCL); !diags.HasErrors() {
		if err := daemon.Check(cfg); err != nil {
			return fmt.Errorf("nothing is imported: %w", err)
		}
	}
	lost := result.Worst() == dnsmasqconf.Unsupported && !f.lossy
	if err := f.tell(cmd.ErrOrStderr(), result, lost); err != nil {
		return err
	}
	if lost {
		return exitError{exitFailed, nil}
	}
	return f.write(cmd, result, o)
}

// beside is where a file goes that the configuration names: the path that was given, or beside the configuration; "" if neither is known.
func (f *importFlags) beside(given, ending string) (string, error) {
	if given == "" && f.out != "-" {
		given = strings.TrimSuffix(f.out, ".hcl") + ending
	}
	if given == "" {
		return "", nil
	}
	return filepath.Abs(given)
}

// write writes the configuration and what it names, all or nothing.
func (f *importFlags) write(cmd *cobra.Command, result *dnsmasqconf.Result, o dnsmasqconf.Options) error {
	var written []string
	file := func(path string, text []byte) error {
		err := newFile(path, text)
		if err == nil {
			written = append(written, path)
		}
		return err
	}
	lines := func(path string, lines []string) error {
		if len(lines) == 0 {
			return nil
		}
		return file(path, []byte("# Written by `labnet import dnsmasq`.\n"+strings.Join(lines, "\n")+"\n"))
	}
	err := lines(o.BlockList, result.Blocked)
	if err == nil {
		err = lines(o.HostsFile, result.Hosts)
	}
	switch {
	case err != nil:
	case f.out == "-":
		_, err = cmd.OutOrStdout().Write(result.HCL)
	default:
		err = file(f.out, result.HCL)
	}
	if err != nil {
		for _, path := range written {
			err = errors.Join(err, os.Remove(path))
		}
		return err
	}
	if f.report == "json" || len(written) == 0 {
		return nil
	}
	text := "wrote " + strings.Join(written, ", ")
	if f.out != "-" {
		flag := ""
		if f.out != defaultConfig {
			flag = " -c " + f.out
		}
		text += fmt.Sprintf("\nnext: look at it, then `labnet check%s` and `labnet plan%s`", flag, flag)
	}
	_, err = fmt.Fprintln(cmd.ErrOrStderr(), visible(text))
	return err
}

// newFile writes a file that isn't there yet, whole or not at all.
func newFile(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already; remove it, or write to another file", path)
	}
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// runningInterface looks at an interface of this host.
func runningInterface(name string) (dnsmasqconf.Interface, bool) {
	link, err := net.InterfaceByName(name)
	if err != nil {
		return dnsmasqconf.Interface{}, false
	}
	out := dnsmasqconf.Interface{Name: name}
	if _, err := os.Stat(filepath.Join("/sys/class/net", name, "bridge")); err == nil {
		out.Bridge = true
	}
	addrs, err := link.Addrs()
	if err != nil {
		return out, true
	}
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is4() {
			out.Prefix = p
			break
		}
	}
	return out, true
}

// tell writes the report.
func (f *importFlags) tell(w io.Writer, result *dnsmasqconf.Result, lost bool) error {
	if f.report == "json" {
		return writeJSON(w, jsonReport(result, !lost))
	}
	var text strings.Builder
	for _, finding := range result.Findings {
		fmt.Fprintf(&text, "%-12s %s: %s\n", finding.Level, visible(finding.Place()), shorten(visible(finding.Text), 100))
		for _, note := range finding.Notes {
			fmt.Fprintf(&text, "%13s%s\n", "", visible(note))
		}
	}
	var counts []string
	for _, level := range dnsmasqconf.Levels() {
		n := 0
		for _, finding := range result.Findings {
			if finding.Level == level {
				n++
			}
		}
		counts = append(counts, fmt.Sprintf("%d %s", n, level))
	}
	fmt.Fprintln(&text, strings.Join(counts, ", "))
	if lost {
		fmt.Fprintln(&text, "nothing is written, since something is unsupported; --allow-lossy writes the rest")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// shorten cuts text to so many characters.
func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
