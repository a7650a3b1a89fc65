package daemon

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/netcfg"
)

// AddTAPs implements control.Backend.
func (d *daemon) AddTAPs(ctx context.Context, caller control.Caller, n control.NewTAPs) (made []control.TAP, err error) {
	if err := checkNewTAPs(caller, n); err != nil {
		return nil, err
	}
	err = d.inTurn(ctx, func(t turn) error {
		var added []keptTAP
		kept := slices.Clone(d.taps)
		for _, name := range n.Names {
			if n.Run {
				there, err := d.tapForRun(caller, name, n.Network)
				if err != nil {
					return err
				}
				if there {
					made, err = d.tapsNamed(n.Names)
					return err
				}
			}
			k, err := d.newTAP(caller, name, n, kept)
			if err != nil {
				return err
			}
			kept, added = append(kept, k), append(added, k)
		}
		for _, k := range added {
			if k.Run {
				d.runs.begin(k.Name, caller.PID)
			}
		}
		if err := d.keepTAPs(t, kept); err != nil {
			for _, k := range added {
				d.runs.end(k.Name)
			}
			return err
		}
		for _, k := range added {
			d.log.Info("TAP made", "link", k.Name, "network", k.Network, "owner", k.Owner, "group", k.Group, "hwaddr", k.MAC, "run", k.Run)
		}
		made, err = d.tapsNamed(n.Names)
		return err
	})
	return made, err
}

// checkNewTAPs returns what is wrong with a wish by itself.
func checkNewTAPs(caller control.Caller, n control.NewTAPs) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{control.ErrInvalid}, args...)...)
	}
	for i, name := range n.Names {
		if err := checkTAPName(name); err != nil {
			return invalid("%w", err)
		}
		if slices.Contains(n.Names[:i], name) {
			return invalid("%s is named twice", name)
		}
		if !caller.Admin && !strings.HasPrefix(name, tapPrefix) {
			return fmt.Errorf("%w: who may not change things makes TAPs whose names begin with %q, such as %s: other names may mean something to this host's firewall",
				control.ErrForbidden, tapPrefix, suggestedTAP(name))
		}
	}
	switch {
	case len(n.Names) > 1 && (n.MAC != "" || n.Host != "" || n.Run):
		return invalid("a mac, a host or a program is for one TAP alone")
	case n.Run && (n.Owner != "" || n.Group != ""):
		return invalid("a TAP for a program is its caller's")
	case n.MAC != "" && n.Host != "":
		return invalid("give either a mac or a host")
	case !caller.Admin && n.Group != "":
		return fmt.Errorf("%w: only root and api.admins give a TAP to a group", control.ErrForbidden)
	case !caller.Admin && n.Host != "":
		return fmt.Errorf("%w: only root and api.admins say which host's TAP it is", control.ErrForbidden)
	case !caller.Admin && n.Owner != "" && !isUser(n.Owner, caller.UID):
		return fmt.Errorf("%w: only root and api.admins make TAPs for others; this one would be for %s", control.ErrForbidden, n.Owner)
	}
	return nil
}

// isUser reports whether a name or number is that of a user.
func isUser(name string, uid uint32) bool {
	number := strconv.FormatUint(uint64(uid), 10)
	if name == number {
		return true
	}
	u, err := user.Lookup(name)
	return err == nil && u.Uid == number
}

// newTAP makes of a wish what is kept; what is there already stands against it.
func (d *daemon) newTAP(caller control.Caller, name string, n control.NewTAPs, kept []keptTAP) (keptTAP, error) {
	k := keptTAP{
		Name: name, Network: n.Network, Owner: n.Owner, Group: n.Group, Host: strings.ToLower(n.Host), MultiQueue: n.MultiQueue, VnetHdr: !n.NoVnetHdr,
		// Who may not change things doesn't take a guest's place that hasn't been heard yet.
		Pinned: n.MAC != "" || n.Host != "" || !caller.Admin,
		Maker:  caller.UID, Run: n.Run, Made: time.Now().UTC().Truncate(time.Second),
	}
	conflict := func(format string, args ...any) (keptTAP, error) {
		return keptTAP{}, fmt.Errorf("%w: "+format, append([]any{control.ErrConflict}, args...)...)
	}
	if k.Owner == "" && k.Group == "" || !caller.Admin {
		k.Owner = strconv.FormatUint(uint64(caller.UID), 10)
	}
	network, err := d.networkOf(n.Network)
	if err != nil {
		return keptTAP{}, err
	}
	k.Network = network.Name
	if obstacle := obstacleToTAP(d.cfg, k); obstacle != "" {
		return conflict("%s", obstacle)
	}
	if i := slices.IndexFunc(kept, func(other keptTAP) bool { return other.Name == name }); i >= 0 {
		return conflict("there is a TAP %s already, in network %q, made %s", name, kept[i].Network, kept[i].Made.Format(time.DateTime))
	}
	exists, ours, _, err := d.host.LinkExists(name)
	if err != nil {
		return keptTAP{}, err
	}
	if exists && !ours {
		return conflict("there is already a link %s, which labnet didn't make", name)
	}
	if !caller.Admin {
		if other, ok := attachedElsewhere(d.cfg, k); ok {
			return keptTAP{}, fmt.Errorf("%w: TAPs of such names belong to network %q", control.ErrForbidden, other)
		}
		own := 0
		for _, other := range kept {
			if other.Maker == caller.UID {
				own++
			}
		}
		if own >= tapsOfMember {
			return conflict("you have %d TAPs already, as many as one may have who may not change things; `labnet taps del` removes them", own)
		}
	}
	k.MAC, err = d.macFor(caller, network, k, n.MAC, kept)
	return k, err
}

// networkOf is the network of a name, or the only one.
func (d *daemon) networkOf(name string) (config.Network, error) {
	names := make([]string, len(d.cfg.Networks))
	for i, n := range d.cfg.Networks {
		if n.Name == name || name == "" && len(d.cfg.Networks) == 1 {
			return n, nil
		}
		names[i] = n.Name
	}
	if name == "" {
		return config.Network{}, fmt.Errorf("%w: there are several networks, %s: say in which one", control.ErrInvalid, strings.Join(names, ", "))
	}
	return config.Network{}, fmt.Errorf("%w: there is no network %q; there is: %s", control.ErrNotFound, name, strings.Join(names, ", "))
}

// DeleteTAPs implements control.Backend.
func (d *daemon) DeleteTAPs(ctx context.Context, caller control.Caller, names []string, force bool) (gone []control.TAP, err error) {
	err = d.inTurn(ctx, func(t turn) error {
		kept := slices.Clone(d.taps)
		for _, name := range names {
			i := slices.IndexFunc(kept, func(k keptTAP) bool { return k.Name == name })
			if i < 0 {
				return d.noTAP(name)
			}
			if !caller.Admin && kept[i].Maker != caller.UID {
				return fmt.Errorf("%w: the TAP %s isn't yours", control.ErrForbidden, name)
			}
			kept = slices.Delete(kept, i, i+1)
		}
		if gone, err = d.tapsNamed(names); err != nil {
			return err
		}
		for _, t := range gone {
			if t.InUse && !force {
				return fmt.Errorf("%w: the TAP %s is in use%s; end that first, or use --force", control.ErrConflict, t.Name, byWhom(t))
			}
		}
		if err := d.keepTAPs(t, kept); err != nil {
			return err
		}
		for _, name := range names {
			d.runs.end(name)
			d.log.Info("TAP removed", "link", name)
		}
		return nil
	})
	return gone, err
}

func byWhom(t control.TAP) string {
	if t.PID == 0 {
		return ""
	}
	return fmt.Sprintf(" by %s (pid %d)", t.Process, t.PID)
}

// noTAP says why there is nothing to remove.
func (d *daemon) noTAP(name string) error {
	for _, n := range d.cfg.Networks {
		if slices.ContainsFunc(n.TAPs, func(t config.TAP) bool { return t.Name == name }) {
			return fmt.Errorf("%w: it is of the file: take tap %q out of %s, and reload", control.ErrConflict, name, d.opts.ConfigPath)
		}
	}
	return fmt.Errorf("%w: no TAP %q was made at run time; see `labnet taps list`", control.ErrNotFound, name)
}

// keepTAPs makes the TAPs that were made at run time these, on the host and in the file that remembers them. If either fails, all is as it was.
func (d *daemon) keepTAPs(t turn, taps []keptTAP) error {
	if _, err := d.host.Apply(t.ctx, d.hostWith(d.cfg, taps)); err != nil {
		return fmt.Errorf("%w: %w", control.ErrConflict, err)
	}
	if err := d.tapFile.save(taps); err != nil {
		_, back := d.host.Apply(t.ctx, d.hostWith(d.cfg, d.taps))
		return errors.Join(err, back)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taps = taps
	return nil
}

// hostWith is the host's part of a configuration with TAPs that were made at run time.
func (d *daemon) hostWith(cfg *config.Config, taps []keptTAP) netcfg.Config {
	host, _ := withTAPs(compile(cfg, hostName()).host, cfg, taps)
	return host
}

// compile is a configuration as the parts want it, with what was made at run time.
func (d *daemon) compile(cfg *config.Config) parts {
	p := compile(cfg, hostName())
	p.host, _ = withTAPs(p.host, cfg, d.keptTAPs())
	return p
}

func (d *daemon) keptTAPs() []keptTAP {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taps
}
