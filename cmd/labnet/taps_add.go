package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newTAPsAdd(g *global) *cobra.Command {
	var n control.NewTAPs
	var out format
	var hypervisor string
	var existOK bool
	cmd := &cobra.Command{
		Use:   "add NAME…",
		Short: "Make TAP devices, at run time",
		Long: `Make TAP devices on a network's bridge, all or none, and print what QEMU is to be told of them. They stay until 'labnet taps del', also over restarts
and boots. They belong to the caller, also under sudo, unless --owner or --group is given: who starts the machine then needs no privilege. Members of the group
labnet may make TAPs for themselves, of names that begin with "tap". The MAC address is one made of the name, always the same, so that the guest's lease stays.`,
		Example: `  labnet taps add tap0
  labnet taps add tap-web --owner alice --host web
  qemu-system-x86_64 $(labnet taps add tap1) disk.qcow2`,
		Args: someArgs("the names of TAPs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n.Names = args
			if n.Owner == "" && n.Group == "" {
				n.Owner = beforeSudo()
			}
			made, err := addTAPs(cmd.Context(), control.NewClient(g.quietPaths().Socket), n, existOK)
			if err != nil {
				return err
			}
			sayWaiting(cmd, made...)
			if out != "text" {
				return writeObject(cmd.OutOrStdout(), out, made)
			}
			var text strings.Builder
			for i, t := range made {
				text.WriteString(machineArgs(t, i, hypervisor) + "\n")
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text.String())
			return err
		},
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions // names are the caller's to choose
	flags := cmd.Flags()
	flags.StringVar(&n.Network, "network", "", "in this network, if there are several")
	flags.StringVar(&n.Owner, "owner", "", "the user who may open it, by name or number (default: the caller)")
	flags.StringVar(&n.Group, "group", "", "the group whose members may open it")
	flags.StringVar(&n.MAC, "mac", "", "the MAC address for its guest")
	flags.StringVar(&n.Host, "host", "", "the host block or the reservation of its guest, whose MAC address it has")
	flags.BoolVar(&n.MultiQueue, "multi-queue", false, "for a machine with several queues")
	flags.BoolVar(&existOK, "exist-ok", false, "let those be that are there already, with this host and MAC address, and print what QEMU is to be told of all")
	addFormat(cmd, &out, objectFormats...)
	addHypervisor(cmd, &hypervisor)
	complete(cmd, g, "network", networkNames)
	complete(cmd, g, "owner", accounts("/etc/passwd"))
	complete(cmd, g, "group", accounts("/etc/group"))
	complete(cmd, g, "host", hostNames)
	return cmd
}

func newTAPsArgs(g *global) *cobra.Command {
	var hypervisor string
	cmd := &cobra.Command{
		Use:     "args NAME…",
		Short:   "Print what QEMU or libvirt is to be told of TAP devices",
		Example: `  qemu-system-x86_64 $(labnet taps args tap-builder) disk.qcow2`,
		Args:    someArgs("the names of TAPs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := control.NewClient(g.quietPaths().Socket).TAPs(cmd.Context(), "")
			if err != nil {
				return err
			}
			byName := map[string]control.TAP{}
			for _, t := range found {
				byName[t.Name] = t
			}
			var text strings.Builder
			for i, name := range args {
				t, ok := byName[name]
				switch {
				case !ok:
					return fmt.Errorf("there is no TAP %q; see `labnet taps list`", name)
				case t.Obstacle != "":
					return fmt.Errorf("the TAP %s isn't there: %s", name, t.Obstacle)
				case t.MAC == "":
					return fmt.Errorf("the TAP %s was made by somebody else, and its guest's MAC address isn't known", name)
				}
				sayWaiting(cmd, t)
				text.WriteString(machineArgs(t, i, hypervisor) + "\n")
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), text.String())
			return err
		},
		ValidArgsFunction: completion(g, tapNames()),
	}
	addHypervisor(cmd, &hypervisor)
	return cmd
}

// addHypervisor adds --print.
func addHypervisor(cmd *cobra.Command, hypervisor *string) {
	known := []string{"qemu", "libvirt"}
	*hypervisor = known[0]
	cmd.Flags().Var(&formatValue{(*format)(hypervisor), known}, "print", "for whom: "+strings.Join(known, ", "))
	_ = cmd.RegisterFlagCompletionFunc("print", cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp))
}

// machineArgs is what starts a machine on a TAP, as its card of this number: QEMU's arguments, or libvirt's interface.
func machineArgs(t control.TAP, number int, hypervisor string) string {
	if hypervisor == "libvirt" {
		return fmt.Sprintf("<interface type='ethernet'>\n  <mac address='%s'/>\n  <target dev='%s' managed='no'/>\n  <model type='virtio'/>\n</interface>", t.MAC, t.Name)
	}
	netdev := fmt.Sprintf("tap,id=net%d,ifname=%s,script=no,downscript=no", number, t.Name)
	device := fmt.Sprintf("virtio-net-pci,netdev=net%d,mac=%s", number, t.MAC)
	if t.MultiQueue {
		// QEMU wants two vectors a queue pair, and two more.
		netdev += ",queues=2"
		device += ",mq=on,vectors=6"
	}
	return "-netdev " + netdev + " -device " + device
}

// beforeSudo is who called sudo, as a number; "" where nobody did.
func beforeSudo() string {
	uid := os.Getenv("SUDO_UID")
	if _, err := strconv.ParseUint(uid, 10, 32); os.Geteuid() != 0 || err != nil {
		return ""
	}
	return uid
}

// accountName is the name of a user who is given by a number, if this host knows it.
func accountName(account string) string {
	if _, err := strconv.ParseUint(account, 10, 32); err == nil {
		if u, err := user.LookupId(account); err == nil {
			return u.Username
		}
	}
	return account
}
