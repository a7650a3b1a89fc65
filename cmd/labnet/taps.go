package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newTAPs(g *global) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "taps",
		Short: "List and make TAP devices, and start machines on them",
		Example: `  labnet taps
  labnet taps add tap0
  labnet taps run tap1 -- qemu-system-x86_64 -netdev tap,id=n0,fd={fd} -device virtio-net-pci,netdev=n0,mac={mac} disk.qcow2`,
		Args: noArgs,
	}
	list := newTAPsList(g)
	// `labnet taps` alone lists.
	cmd.RunE = list.RunE
	cmd.Flags().AddFlagSet(list.Flags())
	cmd.AddCommand(list, newTAPsAdd(g), newTAPsDel(g), newTAPsArgs(g), newTAPsRun(g))
	return cmd
}

func newTAPsList(g *global) *cobra.Command {
	var out format
	var network string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the TAP devices on the bridges",
		Long: `List the TAP devices on the bridges: of the file, made at run time, and those that others made and labnet attached. Which program has one open
is told as far as it can be seen: of programs in the daemon's network namespace, by a daemon that runs as root.`,
		Example: `  labnet taps list
  labnet taps list --network lab -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			found, err := client.TAPs(cmd.Context(), network)
			if err == nil && len(found) == 0 && network != "" {
				err = knownNetwork(cmd.Context(), client, network)
			}
			if err != nil {
				return err
			}
			return writeList(cmd.OutOrStdout(), out, entries(found), tapView())
		},
	}
	addFormat(cmd, &out, listFormats...)
	cmd.Flags().StringVar(&network, "network", "", "only this network's")
	complete(cmd, g, "network", networkNames)
	return cmd
}

// tapView is how TAPs are listed.
func tapView() listView[control.TAP] {
	address := func(t control.TAP) string {
		if t.Address.IsValid() {
			return t.Address.String()
		}
		return ""
	}
	use := func(t control.TAP) string {
		switch {
		case t.Obstacle != "":
			return "not made: " + visible(t.Obstacle)
		case t.Waits != "" && t.PID != 0:
			return fmt.Sprintf("%s (pid %d), waits for %s", printable(t.Process), t.PID, t.Waits)
		case t.Waits != "" && t.InUse:
			return "in use, waits for " + t.Waits
		case t.Waits != "":
			return "waits for " + t.Waits
		case t.PID != 0:
			return fmt.Sprintf("%s (pid %d)", printable(t.Process), t.PID)
		case t.InUse:
			return "in use"
		case t.Bridge == "":
			return "off its bridge"
		}
		return "free"
	}
	return listView[control.TAP]{
		columns: []string{
			"name", "network", "origin", "owner", "group", "mac", "host", "multi_queue", "vnet_hdr", "bridge", "in_use", "pid", "process", "address", "guest", "made",
			"obstacle", "waits",
		},
		record: func(t control.TAP) []string {
			pid := ""
			if t.PID != 0 {
				pid = strconv.Itoa(t.PID)
			}
			return []string{
				t.Name, t.Network, t.Origin, t.Owner, t.Group, t.MAC, t.Host, strconv.FormatBool(t.MultiQueue), strconv.FormatBool(t.VnetHdr), t.Bridge,
				strconv.FormatBool(t.InUse), pid, printable(t.Process), address(t), printable(t.Guest), stamp(t.Made), printable(t.Obstacle), t.Waits,
			}
		},
		narrow: tableView[control.TAP]{
			[]string{"name", "network", "owner", "guest", "address", "used by"},
			func(t control.TAP) []string {
				return []string{t.Name, t.Network, orDash(tapOwner(t)), orDash(printable(t.Guest)), orDash(address(t)), use(t)}
			},
		},
		wide: tableView[control.TAP]{
			[]string{"name", "network", "origin", "owner", "mac", "guest", "address", "bridge", "queues", "used by", "made"},
			func(t control.TAP) []string {
				queues := "one"
				if t.MultiQueue {
					queues = "several"
				}
				return []string{
					t.Name, t.Network, t.Origin, orDash(tapOwner(t)), orDash(t.MAC), orDash(printable(t.Guest)), orDash(address(t)), orDash(t.Bridge), queues, use(t),
					orDash(stamp(t.Made)),
				}
			},
		},
	}
}

// sayWaiting tells beside the output which TAPs are there and lead nowhere yet.
func sayWaiting(cmd *cobra.Command, taps ...control.TAP) {
	for _, t := range taps {
		if t.Waits != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is down, and waits for %s\n", t.Name, t.Waits)
		}
	}
}

// tapOwner is who may open a TAP besides root.
func tapOwner(t control.TAP) string {
	owner := accountName(t.Owner)
	switch {
	case t.Group == "":
		return owner
	case owner == "":
		return "group " + t.Group
	}
	return owner + " in group " + t.Group
}

// someArgs wants one argument at least, described for people.
func someArgs(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 || slices.Contains(args, "") {
			return wrongUse("%s wants %s; see `%s --help`", cmd.CommandPath(), what, cmd.CommandPath())
		}
		return nil
	}
}

func newTAPsDel(g *global) *cobra.Command {
	var force bool
	var missingOK bool
	cmd := &cobra.Command{
		Use:   "del NAME…",
		Short: "Remove TAP devices that were made at run time",
		Long: `Remove TAP devices that were made at run time, all or none. One that a program has open stays, unless --force is given: the machine's cable is pulled
then. What the file makes the file removes. Root and api.admins remove any, others their own.`,
		Example: `  labnet taps del tap0
  labnet taps del tap1 tap2 tap3`,
		Args: someArgs("the names of TAPs"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			if missingOK {
				there, err := withoutMissing(cmd.Context(), client, args)
				if err != nil {
					return err
				}
				if args = there; len(args) == 0 {
					return nothingToEnd(cmd, client, "")
				}
			}
			gone, err := client.DeleteTAPs(cmd.Context(), args, force)
			if err != nil {
				return err
			}
			names := make([]string, len(gone))
			for i, t := range gone {
				names[i] = t.Name
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", strings.Join(names, ", "))
			return err
		},
		ValidArgsFunction: completion(g, tapNames(control.OriginRuntime, control.OriginRun)),
	}
	cmd.Flags().BoolVar(&force, "force", false, "also if a program has it open")
	addMissingOK(cmd, &missingOK)
	return cmd
}
