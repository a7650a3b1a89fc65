package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"labnet/internal/control"
)

// tapFD is the descriptor by which a program gets its TAP.
const tapFD = 3

func newTAPsRun(g *global) *cobra.Command {
	var n control.NewTAPs
	cmd := &cobra.Command{
		Use:   "run NAME -- COMMAND…",
		Short: "Start a program, such as QEMU, on a TAP device of its own",
		Long: `Start a program with a TAP device as file descriptor 3, so that the program itself needs no privilege. In its arguments {fd} becomes 3, {mac} the MAC
address that the machine is to have, and {tap} the device's name. A TAP of this name that is there is used, if the caller may open it. Otherwise one is made for
the caller, and goes when the program ends, however it ends, and with it the lease of that MAC address and its name. Members of the group labnet may do this.

labnet becomes the program: its exit code, its signals and its terminal are the program's.`,
		Example: `  labnet taps run tap0 -- qemu-system-x86_64 -netdev tap,id=n0,fd={fd} -device virtio-net-pci,netdev=n0,mac={mac} disk.qcow2
  labnet taps run tap1 --no-vnet-hdr -- ./my-switch --fd 3`,
		Args: func(cmd *cobra.Command, args []string) error {
			if at := cmd.ArgsLenAtDash(); at != 1 || len(args) < 2 {
				return wrongUse("%s wants the name of a TAP, and the command behind --; see `%s --help`", cmd.CommandPath(), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			reserve()
			program, err := exec.LookPath(args[1])
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], errors.Unwrap(err))
			}
			n.Names, n.Run = args[:1], true
			made, err := control.NewClient(g.quietPaths().Socket).AddTAPs(cmd.Context(), n)
			if err != nil {
				return err
			}
			if len(made) != 1 {
				return fmt.Errorf("the daemon answers with %d TAPs for one", len(made))
			}
			sayWaiting(cmd, made...)
			fd, err := openTAP(made[0])
			if err != nil {
				return err
			}
			if fd, err = handOver(fd); err != nil {
				return err
			}
			return fmt.Errorf("starting %s: %w", program, unix.Exec(program, tapArguments(args[1:], made[0], fd), os.Environ()))
		},
		ValidArgsFunction: oneArg(completion(g, tapNames())),
	}
	flags := cmd.Flags()
	flags.StringVar(&n.Network, "network", "", "in this network, if there are several")
	flags.StringVar(&n.MAC, "mac", "", "the MAC address for the machine, if the TAP is made")
	flags.StringVar(&n.Host, "host", "", "the host block or the reservation of the machine, if the TAP is made; root only")
	flags.BoolVar(&n.NoVnetHdr, "no-vnet-hdr", false, "bare frames, without virtio headers, if the TAP is made")
	complete(cmd, g, "host", hostNames)
	complete(cmd, g, "network", networkNames)
	return cmd
}

// tapArguments is a command line with the placeholders filled in.
func tapArguments(args []string, t control.TAP, fd int) []string {
	fill := strings.NewReplacer("{fd}", strconv.Itoa(fd), "{mac}", t.MAC, "{tap}", t.Name)
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = fill.Replace(a)
	}
	return out
}

// openTAP opens a TAP that the daemon has made.
func openTAP(t control.TAP) (fd int, err error) {
	fd, err = unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, unix.EACCES):
		return -1, errors.New("may not open /dev/net/tun, which most systems let everybody open, since it does nothing by itself: chmod 0666 /dev/net/tun as root")
	case err != nil:
		return -1, fmt.Errorf("opening /dev/net/tun: %w", err)
	}
	defer func() {
		if err != nil {
			_ = unix.Close(fd)
		}
	}()
	request, err := unix.NewIfreq(t.Name)
	if err != nil {
		return -1, err
	}
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if t.MultiQueue {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if t.VnetHdr {
		flags |= unix.IFF_VNET_HDR
	}
	request.SetUint16(flags)
	switch err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request); {
	case errors.Is(err, unix.EPERM):
		return -1, fmt.Errorf("the TAP %s is not for you to open: its owner is %s", t.Name, orDash(tapOwner(t)))
	case errors.Is(err, unix.EBUSY):
		return -1, fmt.Errorf("the TAP %s is in use", t.Name)
	case err != nil:
		return -1, fmt.Errorf("opening the TAP %s: %w", t.Name, err)
	}
	// Where the daemon's devices aren't, one of that name was made just now, and is gone with the descriptor.
	if err = unix.IoctlIfreq(fd, unix.TUNGETIFF, request); err != nil {
		return -1, fmt.Errorf("looking at the TAP %s: %w", t.Name, err)
	}
	if request.Uint16()&unix.IFF_PERSIST == 0 {
		return -1, fmt.Errorf("the TAP %s isn't in this network namespace: run this where the daemon runs", t.Name)
	}
	return fd, nil
}

// reserve keeps descriptor 3 free for the program, if it is: from the first file on the runtime has descriptors of its own, which can't be replaced under
// its hands.
func reserve() {
	if _, err := unix.FcntlInt(tapFD, unix.F_GETFD, 0); errors.Is(err, unix.EBADF) {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil && fd != tapFD {
			_ = unix.Close(fd)
		}
	}
}

// handOver makes fd a descriptor that the program inherits: 3, unless that is the runtime's.
func handOver(fd int) (int, error) {
	var stat unix.Stat_t
	if err := unix.Fstat(tapFD, &stat); err == nil && stat.Mode&unix.S_IFMT != 0 {
		return tapFD, unix.Dup3(fd, tapFD, 0)
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0)
	return fd, err
}
