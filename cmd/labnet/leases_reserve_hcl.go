package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"labnet/internal/config"
	"labnet/internal/control"
)

// forTheFile is r with its network, which a host block must have. The error says what no file takes.
func forTheFile(ctx context.Context, client *control.Client, r control.Reservation) (control.Reservation, error) {
	switch {
	case r.Name == "":
		return r, errors.New("a host block has a name, and this guest has none: give one with --name")
	case r.Address.IsValid() && !r.Address.Is4():
		return r, fmt.Errorf("%v is not an IPv4 address", r.Address)
	}
	if err := config.CheckHostName(r.Name); err != nil {
		return r, fmt.Errorf("--name: %w", err)
	}
	if r.Network != "" {
		return r, knownNetwork(ctx, client, r.Network)
	}
	status, err := client.Status(ctx)
	if err != nil {
		return r, err
	}
	r.Network, err = networkOf(status.Networks, r.Address)
	return r, err
}

// networkOf is the network of an address, or else the only one, as the daemon finds it.
func networkOf(networks []control.Network, addr netip.Addr) (string, error) {
	at := slices.IndexFunc(networks, func(n control.Network) bool { return addr.IsValid() && n.Address.Masked().Contains(addr) })
	switch {
	case at >= 0:
		return networks[at].Name, nil
	case len(networks) == 1:
		return networks[0].Name, nil
	}
	return "", errors.New("there are several networks: say which one with --network")
}

// writeHost prints a reservation as the configuration says it.
func writeHost(cmd *cobra.Command, r control.Reservation) error {
	width := len("network")
	if r.ClientID != "" {
		width = len("client_id")
	}
	var text strings.Builder
	fmt.Fprintf(&text, "host %q {\n", r.Name)
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(&text, "  %-*s = %q\n", width, key, value)
		}
	}
	line("network", r.Network)
	line("mac", r.MAC)
	line("client_id", r.ClientID)
	if r.Address.IsValid() {
		line("address", r.Address.String())
	}
	text.WriteString("}\n")
	_, err := fmt.Fprint(cmd.OutOrStdout(), text.String())
	return err
}
