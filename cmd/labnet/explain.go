package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/control"
)

func newExplain(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Say what would be answered now, and why",
		Long: `Say what the daemon would answer now, and why, without changing anything. What can be explained:

  dhcp    what a client would get: address, name, options
  dns     how a name is resolved, step by step`,
		Example: `  labnet explain dhcp 52:54:00:12:34:56
  labnet explain dns www.example.org`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newExplainDHCP(g), newExplainDNS(g))
	return cmd
}

// explainFlags is the client as it was typed.
type explainFlags struct {
	clientID, hostname, vendor, userClass, arch, requested, network string
}

func newExplainDHCP(g *global) *cobra.Command {
	var out format
	var f explainFlags
	cmd := &cobra.Command{
		Use:   "dhcp MAC|NAME|ADDRESS",
		Short: "Say what a DHCP client would get now, and why",
		Long: `Say what a DHCP client would get now, and why, without changing anything: its reservation, its lease, the address that it would be
offered, the options. A client that has or had a lease asks as it did then, with the same client identifier, name and vendor
class, where the flags don't say otherwise; --client-id '' leaves the identifier out.`,
		Example: `  labnet explain dhcp 52:54:00:12:34:56
  labnet explain dhcp builder
  labnet explain dhcp 52:54:00:12:34:56 --requested 10.0.0.57 --vendor PXEClient --arch x86-64-uefi`,
		Args: exactArgs(1, "a MAC, or the name or the address of a lease"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			query, err := f.query(cmd, client, args[0])
			if err != nil {
				return err
			}
			found, err := client.ExplainDHCP(cmd.Context(), query)
			if err != nil {
				return err
			}
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, found)
			}
			return writeExplanations(cmd.OutOrStdout(), query, found, time.Now())
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	addFormat(cmd, &out, objectFormats...)
	flags := cmd.Flags()
	flags.StringVar(&f.clientID, "client-id", "", "its client identifier (option 61) in hexadecimal")
	flags.StringVar(&f.hostname, "hostname", "", "the name that it asks for (option 12)")
	flags.StringVar(&f.vendor, "vendor", "", "its vendor class (option 60)")
	flags.StringVar(&f.userClass, "user-class", "", "its user class (option 77), e.g. iPXE")
	flags.StringVar(&f.arch, "arch", "", "its architecture (option 93) by name or number, e.g. x86-64-uefi or 7")
	flags.StringVar(&f.requested, "requested", "", "the address that it asks for (option 50)")
	flags.StringVar(&f.network, "network", "", "only this network (default: all)")
	complete(cmd, g, "network", networkNames)
	// Registering fails for flags that don't exist only.
	_ = cmd.RegisterFlagCompletionFunc("arch", cobra.FixedCompletions(config.Architectures(), cobra.ShellCompDirectiveNoFileComp))
	for _, flag := range []string{"client-id", "hostname", "vendor", "user-class", "requested"} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.NoFileCompletions)
	}
	return cmd
}

// query makes the client's question of the flags, and of the lease that key names.
func (f *explainFlags) query(cmd *cobra.Command, client *control.Client, key string) (control.DHCPQuery, error) {
	q := control.DHCPQuery{Hostname: f.hostname, VendorClass: f.vendor, UserClass: f.userClass, Arch: -1, Network: f.network}
	var err error
	if cmd.Flags().Changed("arch") {
		code, err := config.ParseArchitecture(f.arch)
		if err != nil {
			return q, wrongUse("--arch: %w", err)
		}
		q.Arch = int(code)
	}
	if q.ClientID, err = control.ParseHex(f.clientID); err != nil {
		return q, wrongUse("--client-id: %w", err)
	}
	if f.requested != "" {
		if q.Requested, err = netip.ParseAddr(f.requested); err != nil || !q.Requested.Is4() {
			return q, wrongUse("--requested: %q is not an IPv4 address", f.requested)
		}
	}
	var lease control.Lease
	if q.MAC, err = control.ParseMAC(key); err == nil {
		lease, err = lastLease(cmd.Context(), client, f.network, q.MAC.String())
	} else if strings.Contains(key, ":") { // neither in a name nor in an IPv4 address
		err = wrongUse("%q is not a MAC, such as 52:54:00:12:34:56", key)
	} else if lease, err = clientsLease(cmd.Context(), client, f.network, key); err == nil {
		if q.MAC, err = control.ParseMAC(lease.MAC); err != nil {
			err = fmt.Errorf("the client of %q has no Ethernet address", key)
		}
		if q.Network == "" {
			q.Network = lease.Network
		}
	} else if _, perr := netip.ParseAddr(key); perr == nil {
		err = fmt.Errorf("nobody has leased %s; name a MAC, or see `labnet leases`", key)
	} else if _, ok := errors.AsType[noLeaseError](err); ok {
		err = fmt.Errorf("no lease has the name %q; a guest without a lease is named by its MAC, also where a host block gives it this name", key)
	}
	if err != nil {
		return q, err
	}
	if !cmd.Flags().Changed("hostname") {
		q.Hostname = fit(lease.Hostname)
	}
	if !cmd.Flags().Changed("vendor") {
		q.VendorClass = fit(lease.VendorClass)
	}
	if !cmd.Flags().Changed("client-id") && !strings.HasPrefix(lease.ClientID, "mac:") {
		if q.ClientID, err = control.ParseHex(lease.ClientID); err != nil {
			q.ClientID = nil // of other hardware than Ethernet
		}
	}
	return q, nil
}

// fit cuts what a guest sent to what an option holds: in JSON, bytes that aren't UTF-8 have become longer.
func fit(s string) string { return s[:min(len(s), 255)] }

// clientsLease is the lease that key names, or, where that has ended, the one that its client has got since.
func clientsLease(ctx context.Context, client *control.Client, network, key string) (control.Lease, error) {
	lease, err := findLease(ctx, client, network, key)
	if err != nil || lease.State == "bound" {
		return lease, err
	}
	since, err := lastLease(ctx, client, lease.Network, lease.MAC)
	if err == nil && since.State == "bound" && since.ClientID == lease.ClientID {
		return since, nil
	}
	return lease, err
}

// lastLease is the lease in force of a MAC, else the one that was heard of last; without any it is empty.
func lastLease(ctx context.Context, client *control.Client, network, mac string) (control.Lease, error) {
	found, err := matching(client.Leases(ctx, control.LeaseQuery{Network: network}), mac)
	if err != nil {
		return control.Lease{}, err
	}
	found = slices.DeleteFunc(found, func(l control.Lease) bool {
		return strings.HasPrefix(l.ClientID, "arp:") // a machine that never asked
	})
	if len(found) == 0 {
		return control.Lease{}, nil
	}
	return slices.MaxFunc(found, func(a, b control.Lease) int { return a.LastSeen.Compare(b.LastSeen) }), nil
}

func writeExplanations(w io.Writer, q control.DHCPQuery, found []control.DHCPExplanation, now time.Time) error {
	var text strings.Builder
	for i, e := range found {
		if i > 0 {
			text.WriteString("\n")
		}
		writeExplanation(&text, q, e, now)
	}
	_, err := io.WriteString(w, visible(text.String()))
	return err
}

func writeExplanation(text *strings.Builder, q control.DHCPQuery, e control.DHCPExplanation, now time.Time) {
	line := func(key, format string, args ...any) {
		text.WriteString(strings.TrimRight(fmt.Sprintf("  %-12s ", key)+fmt.Sprintf(format, args...), " ") + "\n")
	}
	fmt.Fprintf(text, "%s in network %s\n", q.MAC, e.Network)
	line("asks as", "%s", asks(q))
	line("known by", "%s", knownBy(e))
	if len(e.Classes) > 0 {
		line("classes", "%s", printable(strings.Join(e.Classes, ", ")))
	}
	line("reservation", "%s", reservation(e))
	writeLeases(line, e, now)
	line("would get", "%s", outcome(e.Discover))
	if e.Discover.Reply != "" && e.Discover.Name == "" && q.Hostname != "" {
		line("name", "none: %s", namelessness(q.Hostname, e))
	}
	if e.Reboot != nil {
		line("restarting", "with %s: %s", e.Reboot.Address, outcome(*e.Reboot))
	}
	if e.Discover.LeaseTime != "" {
		line("lease time", "%s", e.Discover.LeaseTime)
	}
	boot := []string{printable(e.Discover.ServerName), printable(e.Discover.BootFile)}
	if e.Discover.NextServer.IsValid() {
		boot = append([]string{e.Discover.NextServer.String()}, boot...)
	}
	if boot = slices.DeleteFunc(boot, func(s string) bool { return s == "" }); len(boot) > 0 {
		line("boots from", "%s", strings.Join(boot, " "))
	}
	for i, o := range e.Discover.Options {
		key := ""
		if i == 0 {
			key = "options"
		}
		value := printable(o.Value)
		if o.From != "" && o.From != "network" {
			value += ", of " + printable(o.From)
		}
		line(key, "%3d %-22s %s", o.Code, o.Name, value)
	}
	p := e.Pool
	line("pool", "%s for all: %d leased, %d offered, %d in quarantine", addresses(int(p.Addresses)), p.Leased, p.Offered, p.Quarantined)
	for _, l := range e.Quarantined {
		how := "declined by"
		if strings.HasPrefix(l.ClientID, "arp:") {
			how = "used without a lease by"
		}
		line("quarantine", "%s, %s %s, rests until %s", l.Address, how, orDash(l.MAC), orDash(stamp(l.Expires)))
	}
}

// asks is what the client says of itself.
func asks(q control.DHCPQuery) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if len(q.ClientID) > 0 {
		add("client id %s", withColons(q.ClientID))
	} else {
		add("no client id")
	}
	for _, part := range [][2]string{{"name", q.Hostname}, {"vendor class", q.VendorClass}, {"user class", q.UserClass}} {
		if part[1] != "" {
			add("%s %s", part[0], printable(part[1]))
		}
	}
	if q.Arch >= 0 {
		add("architecture %d", q.Arch)
	}
	if q.Requested.IsValid() {
		add("requests %s", q.Requested)
	}
	return strings.Join(parts, ", ")
}

// withColons is how bytes are written in the leases, and how --client-id reads them.
func withColons(b []byte) string { return net.HardwareAddr(b).String() }

func knownBy(e control.DHCPExplanation) string {
	if e.Client == "" {
		return "nothing"
	}
	words := map[string]string{
		"mac": "its MAC", "client_id": "its client identifier",
		"client_id and mac": "its client identifier and its MAC, since another machine sends the same identifier",
	}
	return words[e.Identity]
}

func reservation(e control.DHCPExplanation) string {
	r := e.Reservation
	if r == nil {
		return "none: no host block is for it, nor was one made at run time"
	}
	by := map[string]string{"mac": "its MAC", "client_id": "its client identifier", "hostname": "the name that it sends"}[r.MatchedBy]
	text := fmt.Sprintf("host %s, by %s", printable(r.Host), by)
	if r.Host == "" {
		text = "without a name, by " + by
	}
	if r.Address.IsValid() {
		text += ": " + r.Address.String()
	} else {
		text += ": any address"
	}
	if r.Obstacle != "" {
		text += ", but " + r.Obstacle
	}
	if r.Blocker != nil {
		text += fmt.Sprintf(" (%s %s)", orDash(r.Blocker.MAC), r.Blocker.State)
	}
	return text
}

func writeLeases(line func(string, string, ...any), e control.DHCPExplanation, now time.Time) {
	one := func(key, what string, l *control.Lease) {
		if l != nil {
			line(key, "%s (%s), %s%s", l.Address, orDash(l.Name), what, expiry(*l, now))
		}
	}
	one("lease", "expires ", e.Running)
	one("offered", "held for it, ends ", e.Held)
	one("last lease", "ended ", e.Former)
	if e.Running == nil && e.Held == nil && e.Former == nil {
		line("lease", "none, and none that is remembered")
	}
}

// namelessness is why a client doesn't get the name that it asks for.
func namelessness(asked string, e control.DHCPExplanation) string {
	asked = printable(asked)
	switch {
	case e.NameHolder != nil:
		return fmt.Sprintf("%s is the name of %s (%s)", asked, e.NameHolder.Address, orDash(e.NameHolder.MAC))
	case e.NameObstacle == "reserved":
		return asked + " is kept for a host block, a reservation, a record, or the network itself; `labnet explain dns` says which"
	case e.NameObstacle == "invalid":
		return asked + " is no DNS label: letters, digits and hyphens, not all digits"
	default:
		return asked + " isn't its name yet; it is when it next asks for it" // the lease that it holds keeps what it had
	}
}

// outcome is an answer in a line.
func outcome(a control.DHCPAnswer) string {
	var text strings.Builder
	switch {
	case a.Reply == "":
		text.WriteString("no answer")
	case a.Reply == "OFFER":
		fmt.Fprintf(&text, "OFFER of %s", a.Address)
	default:
		text.WriteString(a.Reply)
	}
	if a.Name != "" {
		text.WriteString(" (" + printable(a.Name) + ")")
	}
	text.WriteString(": " + a.Text + " (" + a.Reason + ")")
	if a.UsedBy != "" {
		text.WriteString("; but " + a.UsedBy + " uses it: another will be offered")
	}
	return text.String()
}
