package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/control"
)

func newLeasesReserve(g *global) *cobra.Command {
	var network, address, name string
	var hcl bool
	cmd := &cobra.Command{
		Use:   "reserve ADDRESS|NAME|MAC",
		Short: "Reserve an address and a name for a guest, at run time",
		Long: `Reserve an address and a name for a guest, without the file: for labs that are made by programs. Of a guest that has a lease it is that
address and that name, unless they are given, and of one that had one the address; a guest that is yet to come is named by its MAC. The reservation is
kept with the leases. Where the file says otherwise, the file counts. --hcl changes nothing: it prints the block to put into the file instead. Root may, and who is of a group of api.admins.`,
		Example: `  labnet leases reserve builder
  labnet leases reserve 52:54:00:12:34:56 --address 10.0.0.10 --name db
  labnet leases reserve 10.0.0.57 --hcl >> /etc/labnet/labnet.hcl`,
		Args: exactArgs(1, "an address, a name or a MAC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			r, err := reservationFor(cmd.Context(), client, network, args[0])
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("address") {
				if r.Address, err = netip.ParseAddr(address); err != nil {
					return wrongUse("--address: %w", err)
				}
			}
			if cmd.Flags().Changed("name") {
				r.Name = name
			}
			if hcl {
				if r, err = forTheFile(cmd.Context(), client, r); err != nil {
					return err
				}
				return writeHost(cmd, r)
			}
			made, err := client.Reserve(cmd.Context(), r)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "reserved %s\n", reservationText(made)); err != nil {
				return err
			}
			if made.Obstacle != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "note: "+visible(made.Obstacle))
			}
			return nil
		},
		ValidArgsFunction: oneArg(completion(g, leaseKeys)),
	}
	flags := cmd.Flags()
	flags.StringVar(&address, "address", "", "the address, if not the guest's present one")
	flags.StringVar(&name, "name", "", "the name, if not the guest's present one")
	flags.BoolVar(&hcl, "hcl", false, "print the block for the file, and change nothing")
	flags.StringVar(&network, "network", "", "in this network")
	complete(cmd, g, "network", networkNames)
	return cmd
}

// reservationFor is what is to be reserved for the guest that key names.
func reservationFor(ctx context.Context, client *control.Client, network, key string) (control.Reservation, error) {
	lease, err := findLease(ctx, client, network, key)
	if err == nil {
		r := control.Reservation{Network: lease.Network, MAC: lease.MAC, Address: lease.Address, Name: lease.Name}
		if r.MAC == "" {
			r.ClientID = lease.ClientID
		}
		return r, nil
	}
	mac, macErr := net.ParseMAC(key)
	switch {
	case !errors.As(err, new(noLeaseError)):
		return control.Reservation{}, err
	case macErr != nil:
		return control.Reservation{}, fmt.Errorf("%w; name a guest that is yet to come by its MAC", err)
	case len(mac) == 6 && (mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00"):
		return control.Reservation{}, fmt.Errorf("%s is the MAC of a group or of nobody, not a guest's", mac)
	}
	return control.Reservation{Network: network, MAC: mac.String()}, nil
}

// reservationText is a reservation in a line.
func reservationText(r control.Reservation) string {
	words := []string{"any address"}
	if r.Address.IsValid() {
		words[0] = r.Address.String()
	}
	if r.Name != "" {
		words = append(words, "and the name "+r.Name)
	}
	return strings.Join(append(words, "for", reservedFor(r), "in", r.Network), " ")
}

// reservedFor is whose a reservation is.
func reservedFor(r control.Reservation) string {
	switch {
	case r.MAC != "":
		return r.MAC
	case r.ClientID != "":
		return "client " + r.ClientID
	case r.Hostname != "":
		return "whoever calls itself " + r.Hostname
	}
	return "-"
}

func newLeasesUnreserve(g *global) *cobra.Command {
	var network string
	var missingOK bool
	cmd := &cobra.Command{
		Use:   "unreserve ADDRESS|NAME|MAC",
		Short: "End a reservation that was made at run time",
		Long: `End a reservation that was made at run time. With its next renewal the guest gets the name that it asks for, and another address if that of the
reservation is in no range. What the file reserves the file ends. Root may, and who is of a group of api.admins.`,
		Example: `  labnet leases unreserve db`,
		Args:    exactArgs(1, "an address, a name or a MAC"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			r, err := findReservation(cmd.Context(), client, network, args[0])
			var ended control.Reservation
			if err == nil {
				ended, err = client.Unreserve(cmd.Context(), r)
			}
			if missingOK && missing(err) {
				return nothingToEnd(cmd, client, network)
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "no longer reserved: %s\n", reservationText(ended))
			return err
		},
		ValidArgsFunction: oneArg(completion(g, reservationKeys)),
	}
	addMissingOK(cmd, &missingOK)
	cmd.Flags().StringVar(&network, "network", "", "only in this network")
	complete(cmd, g, "network", networkNames)
	return cmd
}

// findReservation finds the one reservation that key names, those of run time before those of the file.
func findReservation(ctx context.Context, client *control.Client, network, key string) (control.Reservation, error) {
	all, err := client.Reservations(ctx, network)
	if err != nil {
		return control.Reservation{}, err
	}
	var found []control.Reservation
	for _, origin := range []string{control.OriginRuntime, control.OriginFile} {
		for _, r := range all {
			if r.Origin == origin && means(r, key) {
				found = append(found, r)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return control.Reservation{}, nothingReservedError{key}
	}
	whose := make([]string, len(found))
	for i, r := range found {
		whose[i] = "for " + reservedFor(r) + " in " + r.Network
	}
	return control.Reservation{}, fmt.Errorf("%q is ambiguous: %s; name the MAC, and --network where that isn't enough", key, strings.Join(whose, ", "))
}

// means reports whether key names a reservation.
func means(r control.Reservation, key string) bool {
	if addr, err := netip.ParseAddr(key); err == nil {
		return r.Address == addr
	}
	return r.Name != "" && strings.EqualFold(r.Name, key) || r.MAC != "" && strings.EqualFold(r.MAC, macText(key)) ||
		r.ClientID != "" && strings.EqualFold(r.ClientID, key)
}

func newLeasesReservations(g *global) *cobra.Command {
	var out format
	var network string
	cmd := &cobra.Command{
		Use:     "reservations",
		Short:   "List what is reserved, in the file and at run time",
		Example: `  labnet leases reservations -o json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client := control.NewClient(g.quietPaths().Socket)
			found, err := client.Reservations(cmd.Context(), network)
			if err == nil && len(found) == 0 && network != "" {
				err = knownNetwork(cmd.Context(), client, network)
			}
			if err != nil {
				return err
			}
			return writeList(cmd.OutOrStdout(), out, entries(found), reservationView())
		},
	}
	addFormat(cmd, &out, listFormats...)
	cmd.Flags().StringVar(&network, "network", "", "only this network's")
	complete(cmd, g, "network", networkNames)
	return cmd
}

// reservationView is how reservations are listed.
func reservationView() listView[control.Reservation] {
	address := func(r control.Reservation) string {
		if r.Address.IsValid() {
			return r.Address.String()
		}
		return ""
	}
	narrow := tableView[control.Reservation]{
		[]string{"address", "name", "for", "origin", "network", "note"},
		func(r control.Reservation) []string {
			return []string{orDash(address(r)), orDash(r.Name), reservedFor(r), r.Origin, r.Network, orDash(visible(r.Obstacle))}
		},
	}
	return listView[control.Reservation]{
		columns: []string{"network", "address", "mac", "client_id", "hostname", "name", "aliases", "origin", "made", "obstacle"},
		record: func(r control.Reservation) []string {
			return []string{
				r.Network, address(r), r.MAC, r.ClientID, r.Hostname, r.Name, strings.Join(r.Aliases, " "), r.Origin, stamp(r.Made), printable(r.Obstacle),
			}
		},
		narrow: narrow, wide: narrow,
	}
}
