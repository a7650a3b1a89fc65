package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"labnet/dnsserver"
	"labnet/internal/config"
	"labnet/internal/control"
	"labnet/internal/handover"
	"labnet/internal/metrics"
	"labnet/internal/succession"
	"labnet/leases"
	"labnet/netcfg"
)

// Options is what the command line says of a run.
type Options struct {
	ConfigPath string // for status and reload
	Config     *config.Config
	Paths      Paths
	Ephemeral  bool // remove the network at the end
	Confirmed  bool // what the bridged network asks for counts as confirmed
	Version    string
	Log        *slog.Logger
	// SetLevel is told the log level of a configuration that was reloaded; nil: the level is the command line's.
	SetLevel func(level string)
	// Reload gets a value for each wish to read ConfigPath again; nil: none. Load is called then.
	Reload <-chan os.Signal
	Load   func() (*config.Config, error)
	// Upgrade gets a value for each wish that Program, with Args, take this process over; nil: none.
	Upgrade <-chan os.Signal
	Program string
	Args    []string // without the program's name
}

// Paths is where a daemon keeps its files.
type Paths struct {
	StateDir string // what must survive a restart: leases, and what was changed on the host
	Socket   string // the control socket
}

func (p Paths) record() string { return filepath.Join(p.StateDir, "host.json") }
func (p Paths) leases() string { return filepath.Join(p.StateDir, "leases.db") }
func (p Paths) taps() string   { return filepath.Join(p.StateDir, "taps.json") }

// daemon is a running labnet.
type daemon struct {
	opts     Options
	log      *slog.Logger
	started  time.Time
	instance string // of the numbers of lease events

	mu   sync.Mutex               // guards what follows; it changes in turns
	file *config.Config           // as it was read
	kept []leases.KeptReservation // that were made at run time
	cfg  *config.Config           // as it is served: file with kept
	taps []keptTAP                // that were made at run time

	notAdmitted []netcfg.Problem // who may change things over the socket, and yet can't

	host  *netcfg.Host
	hand  *handover.Host
	store *leases.SQLite
	table *leases.Table
	dns   *dnsserver.Server
	api   *control.Server
	links *links

	metrics  *metrics.Server
	handlers metrics.Handlers
	looks    recent[look]
	mended   atomic.Uint64 // changes to a bridge that has taken over
	reloaded atomic.Int64  // when the configuration that is served was read, Unix nanoseconds
	unread   atomic.Bool   // the file could not be reloaded since then

	observers observers
	tenant    tenant
	hostLease sync.WaitGroup // the tenant's client

	turns chan turnRequest
	hooks *hookFeed

	tapFile  tapFile
	runs     tapRuns
	lateTAPs []keptTAP // whose programs ended while no daemon ran

	rules *guestFeed
	down  chan downRequest

	prepared *config.Config                // that a change of the uplink waits to be made with; it changes in turns
	before   atomic.Pointer[config.Config] // what ran before the change that waits to be confirmed; nil: none does
	obstacle error                         // what stands against a confirmed change of the uplink; guarded by mu

	ended chan struct{} // closed when nobody takes requests from down and turns any more

	estate   *succession.Estate
	former   former
	ready    bool  // it has served
	takeover bool  // Program shall take over
	leaves   bool  // its sockets go to whoever comes next
	since    int64 // when it stopped to serve, see will
}

// Run brings the network up and serves it until ctx ends, a task fails, or `down` is asked for. It changes nothing on the host
// if the configuration can't be served. Root, or the capabilities named in the error. Where a process before this one has left its sockets, it
// goes on with them. It must be called before any program is started, and doesn't return when another program takes the process over.
func Run(ctx context.Context, opts Options) error {
	d := &daemon{
		opts: opts, log: opts.Log, started: time.Now(), instance: newInstance(), file: opts.Config,
		observers: observers{log: opts.Log.With("part", "observe")},
		turns:     make(chan turnRequest), down: make(chan downRequest), ended: make(chan struct{}),
		estate: succession.Receive(opts.Log.With("part", "succession")),
	}
	d.readFormer()
	return d.handOn(ctx, d.run(ctx))
}

func (d *daemon) run(ctx context.Context) (err error) {
	opts := d.opts
	instance, err := claim(ctx, d.estate)
	if err != nil {
		return err
	}
	defer func() { _ = instance.Close() }()
	defer func() { err = errors.Join(err, opts.Paths.entrust()) }()

	if err := os.MkdirAll(opts.Paths.StateDir, 0o750); err != nil {
		return fmt.Errorf("making the state directory: %w; name another one with --state-dir", err)
	}
	d.store, err = leases.OpenSQLite(leases.SQLiteConfig{
		Path: opts.Paths.leases(), History: historyAge(opts.Config.Daemon), Log: d.log.With("part", "leases"),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.store.Close()) }()
	d.host, err = netcfg.Open(opts.Paths.record(), d.log.With("part", "net"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.host.Close()) }()
	if d.hand, err = openHandover(opts.Paths, d.log.With("part", "handover")); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.hand.Close()) }()
	if err := d.addKept(ctx); err != nil {
		return err
	}
	if err := d.loadTAPs(); err != nil {
		return err
	}
	return d.start(ctx)
}

// addKept makes of the file what is served.
func (d *daemon) addKept(ctx context.Context) error {
	kept, bad, err := d.store.Reservations(ctx)
	if err != nil {
		return err
	}
	for _, b := range bad {
		d.log.Warn("a stored reservation can't be understood and is not used", "key", b.Key, "reason", b.Reason)
	}
	cfg, obstacles := withKept(d.file, kept)
	d.warnOfKept(kept, obstacles)
	d.cfg, d.kept = cfg, kept
	return nil
}

// start builds the parts in the order in which a failure costs least: what can fail without touching the host comes first.
func (d *daemon) start(ctx context.Context) (err error) {
	p := d.compile(d.cfg)
	if d.guestsWait(p) {
		return d.resume(ctx, p)
	}
	if err := d.check(p); err != nil {
		return err
	}
	if err := d.makeTable(ctx, p); err != nil {
		return err
	}
	// The DNS sockets bind to addresses that aren't there yet, so that a taken port shows before the host is changed.
	if d.dns, err = dnsserver.ListenWith(p.dns, d.table, d.estate, d.log.With("part", "dns")); err != nil {
		return err
	}
	closeDNS := d.dns
	defer func() {
		if err != nil {
			closeDNS.Close()
		}
	}()
	if err := d.listenMetrics(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			d.metrics.Close()
		}
	}()
	api, err := control.ListenWith(d.opts.Paths.Socket, d, d.opts.Version, d.estate, d.log.With("part", "control"))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = api.Close()
		}
	}()

	d.api = api
	d.admit(d.cfg.API)

	undo, err := d.bringUp(ctx, p.host)
	if err != nil {
		return err
	}
	d.links, err = listenLinks(p.dhcp, d.table, d.estate, d.log.With("part", "dhcp"))
	if err != nil {
		return errors.Join(err, undo())
	}
	return d.serve(ctx, func() (*control.Server, error) { return api, nil })
}

// makeTable makes the lease table, with what is stored, and those that follow it.
func (d *daemon) makeTable(ctx context.Context, p parts) (err error) {
	if d.table, err = leases.NewTable(p.leases, d.store, d.log.With("part", "leases")); err != nil {
		return err
	}
	if err := d.table.Load(ctx, time.Now()); err != nil {
		return err
	}
	d.rules = newGuestFeed(d.host, d.table, d.log.With("part", "net"))
	d.rules.reconfigure(d.cfg)
	d.hooks = newHookFeed(p.hooks, d.table, d.instance, d.log.With("part", "hooks"))
	boundGarbage()
	return nil
}

// check refuses what the host stands against, all problems at once, and warns of the rest.
func (d *daemon) check(p parts) error {
	problems, err := d.host.Check(p.host)
	if err != nil {
		return err
	}
	problems = append(problems, hookProblems(p.hooks)...)
	problems = append(problems, publishProblems(p.host)...)
	var fatal []error
	for _, p := range problems {
		if p.Fatal {
			fatal = append(fatal, problemError(p))
			continue
		}
		d.log.Warn(p.Summary, "network", p.Network, "remedy", p.Remedy)
	}
	return errors.Join(fatal...)
}

func problemError(p netcfg.Problem) error {
	var text strings.Builder
	if p.Network != "" {
		fmt.Fprintf(&text, "network %q: ", p.Network)
	}
	text.WriteString(p.Summary)
	if p.Remedy != "" {
		text.WriteString("; " + p.Remedy)
	}
	return errors.New(text.String())
}

// bringUp applies the host's part, and returns how to undo it if nothing of ours was up before.
func (d *daemon) bringUp(ctx context.Context, cfg netcfg.Config) (undo func() error, err error) {
	before, err := d.host.PlanDown()
	if err != nil {
		return nil, err
	}
	plan, err := d.host.Apply(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("bringing the network up: %w", err)
	}
	for _, c := range changes(plan) {
		d.log.Info("changed the host", "change", c.Text)
	}
	if !before.Empty() {
		return func() error { return nil }, nil
	}
	return func() error {
		if _, err := d.host.Down(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("putting the host back: %w", err)
		}
		d.log.Info("put the host back, since the start failed")
		return nil
	}, nil
}

// serve runs every part until the end, and ends them in order: first those that answer guests, then what they stand on. Those that answer
// guests run already when rest is called for what is to be done then.
func (d *daemon) serve(ctx context.Context, rest func() (*control.Server, error)) error {
	d.takeUp()
	// The hooks are told also what the others do last.
	last, lastCtx := group(context.WithoutCancel(ctx))
	known := d.table.LastEvent()
	last.Go(func() error { return d.hooks.run(lastCtx, known) })

	// What the front stands on outlives the wish to end: it is stopped when the front has drained.
	base, baseCtx := group(context.WithoutCancel(ctx))
	base.Go(func() error { return d.table.Run(baseCtx) })
	base.Go(func() error {
		if err := d.table.WatchClock(baseCtx); err != nil {
			d.log.Warn("a clock that is set is noticed later", "err", err)
		}
		return nil
	})

	front, frontCtx := group(baseCtx)
	front.Go(func() error { return d.dns.Run(frontCtx) })
	d.links.run(frontCtx, front.Group)
	api, err := rest()
	if err != nil {
		front.stop()
		err = errors.Join(err, front.Wait())
		base.stop()
		last.stop()
		return errors.Join(err, base.Wait(), last.Wait())
	}
	base.Go(func() error { return d.host.Run(baseCtx) })
	base.Go(func() error { return d.host.Overhear(baseCtx, d.links.overhear) })
	base.Go(func() error { return d.rules.run(baseCtx) })
	front.Go(func() error { return d.watchRuns(frontCtx) })
	d.observers.follow(frontCtx, front.Group, observedBridges(d.cfg))
	front.Go(func() error { return d.followHandover(frontCtx) })
	front.Go(func() error { return d.watchdog(frontCtx) })

	d.succeed()
	talk, talkCtx := group(baseCtx)
	talk.Go(func() error { return api.Run(talkCtx) })
	talk.Go(func() error { return d.metrics.Run(talkCtx) })
	base.Go(talk.Wait)
	notify(d.log, sdnotify.SdNotifyReady)
	d.log.Info("ready", "after", time.Since(d.started).Round(time.Millisecond).String(), "networks", len(d.cfg.Networks))

	asked, leaves := d.wait(ctx, frontCtx, front.Group)
	d.sayEnd(leaves)
	if leaves {
		// While guests are still served: this may take its time.
		d.prepareToLeave(turn{frontCtx, front.Group}, api, talk, last)
	}
	d.noteLeaving()
	front.stop()
	err = front.Wait()
	if asked == nil {
		// Who asks while the daemon ends anyway must not be left with half of it.
		select {
		case request := <-d.down:
			asked = &request
		default:
		}
	}
	close(d.ended)
	if asked != nil || d.opts.Ephemeral {
		err = errors.Join(err, d.takeDown(context.WithoutCancel(ctx), asked))
	} else if !leaves {
		d.log.Info("the network stays up; `labnet down` removes it")
	}
	base.stop()
	err = errors.Join(err, base.Wait())
	last.stop()
	return errors.Join(err, last.Wait())
}

// wait returns when the daemon shall end: at the end of ctx, when a part failed, with the request to go down, or when another program shall
// take over. leaves tells that its sockets go to whoever comes next.
func (d *daemon) wait(ctx, failed context.Context, front *errgroup.Group) (asked *downRequest, leaves bool) {
	for !d.takeover {
		select {
		case <-ctx.Done():
			return nil, d.estate.Stored() && !d.opts.Ephemeral
		case <-failed.Done():
			return nil, false
		case request := <-d.down:
			return &request, false
		case request := <-d.turns:
			request.done <- request.change(turn{failed, front})
		case <-d.opts.Reload:
			_, _ = d.reload(failed, front) // the log has it
		case <-d.opts.Upgrade:
			if _, err := d.allowUpgrade(failed); err != nil {
				d.log.Error("no other program takes over; this one goes on", "program", d.opts.Program, "err", err)
			}
		}
	}
	return nil, true
}

// takeDown removes the network and answers who asked for it, if somebody did.
func (d *daemon) takeDown(ctx context.Context, asked *downRequest) error {
	plan, err := d.host.Down(ctx)
	given, backErr := giveBack(ctx, d.hand)
	err = errors.Join(err, backErr)
	if err == nil {
		d.log.Info("the network is removed", "changes", len(plan.Grow)+len(plan.Shrink))
	}
	if asked != nil {
		asked.done <- downAnswer{append(changes(plan), given...), err}
	}
	return err
}

// tasks is an errgroup that can be stopped.
type tasks struct {
	*errgroup.Group
	stop context.CancelFunc
}

// group makes tasks whose context ends by stop, by a failing task, or with ctx.
func group(ctx context.Context) (tasks, context.Context) {
	parent, stop := context.WithCancel(ctx)
	g, groupCtx := errgroup.WithContext(parent)
	return tasks{g, stop}, groupCtx
}

// hostName is the host's own name as a DNS label, "" if it has none.
func hostName() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return hostLabel(name)
}

// hostLabel is the first label of a host's name; "" if that is no name for others, as a kernel's "(none)" or a container's digits.
func hostLabel(name string) string {
	label, ok := leases.CleanName(name)
	if !ok || label == "localhost" {
		return ""
	}
	return label
}

// notify tells systemd, where it listens.
func notify(log *slog.Logger, state string) {
	if _, err := sdnotify.SdNotify(false, state); err != nil {
		log.Warn("systemd can't be told", "state", state, "err", err)
	}
}
