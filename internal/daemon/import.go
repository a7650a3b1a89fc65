package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"labnet/dhcpserver"
	"labnet/internal/control"
	"labnet/leases"
)

// ImportLeases implements control.ImportBackend.
func (d *daemon) ImportLeases(ctx context.Context, request control.ImportRequest) (control.ImportAnswer, error) {
	p := compile(d.config(), hostName())
	if request.DryRun {
		return tryImport(ctx, p, d.table.Leases(""), request)
	}
	answer, err := importer{table: d.table, parts: p}.take(ctx, request)
	if err == nil {
		d.log.Info("leases of another server imported by an operator", importSummary(answer)...)
	}
	return answer, err
}

// importSummary counts the outcomes, for the log.
func importSummary(answer control.ImportAnswer) []any {
	counts := map[string]int{}
	for _, r := range answer.Results {
		counts[r.Outcome]++
	}
	var out []any
	for _, outcome := range []string{
		control.OutcomeImported, control.OutcomeEnded, control.OutcomeUnchanged, control.OutcomeSkipped, control.OutcomeRefused,
	} {
		out = append(out, outcome, counts[outcome])
	}
	return out
}

// tryImport imports into a table of its own that holds the leases of now: nothing comes of it but the answer.
func tryImport(ctx context.Context, p parts, now []leases.Lease, request control.ImportRequest) (control.ImportAnswer, error) {
	return importInto(ctx, p, leases.NewMemory(now...), slog.New(slog.DiscardHandler), request)
}

// importInto imports into a store that no daemon uses.
func importInto(ctx context.Context, p parts, store leases.Store, log *slog.Logger, request control.ImportRequest) (control.ImportAnswer, error) {
	table, err := leases.NewTable(p.leases, store, log)
	if err != nil {
		return control.ImportAnswer{}, err
	}
	if err := table.Load(ctx, time.Now()); err != nil {
		return control.ImportAnswer{}, err
	}
	committer, committerCtx := group(context.WithoutCancel(ctx))
	committer.Go(func() error { return table.Run(committerCtx) })
	answer, err := importer{table, p}.take(ctx, request)
	committer.stop()
	return answer, errors.Join(err, committer.Wait())
}

// importer brings leases of other servers into a table, which must run.
type importer struct {
	table *leases.Table
	parts parts
}

// batch is leases of one network that are decided together: those of the request at the places at.
type batch struct {
	network string
	at      []int
	in      []leases.Imported
}

// take imports in the order of the request, a commit after the other; what it answers is durable.
func (i importer) take(ctx context.Context, request control.ImportRequest) (control.ImportAnswer, error) {
	if _, known := i.network(request.Network); request.Network != "" && !known {
		return control.ImportAnswer{}, fmt.Errorf("%w: there is no network %q that serves DHCP", control.ErrNotFound, request.Network)
	}
	answer := control.ImportAnswer{Results: make([]control.ImportResult, len(request.Leases))}
	batches := map[string]*batch{}
	for at := range request.Leases {
		l := &request.Leases[at]
		result := &answer.Results[at]
		network, reason := i.networkFor(request.Network, l)
		if reason != "" {
			result.Outcome, result.Reason = control.OutcomeRefused, reason
			if l.State != leases.Bound.String() {
				result.Outcome = control.OutcomeSkipped // nobody misses it
			}
			continue
		}
		result.Network = network
		link, _ := i.network(network)
		imported, err := importedLease(l, link.Identity)
		if err == nil && link.UnknownDenied && l.State == leases.Bound.String() {
			err = i.served(network, imported.Lease)
		}
		if err != nil {
			result.Outcome, result.Reason = control.OutcomeRefused, err.Error()
			continue
		}
		b := batches[network]
		if b == nil {
			b = &batch{network: network}
			batches[network] = b
		}
		b.at, b.in = append(b.at, at), append(b.in, imported)
		if len(b.in) == leases.ImportMost {
			if err := i.commit(ctx, b, answer.Results); err != nil {
				return answer, err
			}
		}
	}
	for _, b := range batches {
		if err := i.commit(ctx, b, answer.Results); err != nil {
			return answer, err
		}
	}
	return answer, nil
}

func (i importer) network(name string) (dhcpserver.Config, bool) {
	for _, n := range i.parts.dhcp {
		if n.Network == name {
			return n, true
		}
	}
	return dhcpserver.Config{}, false
}

// networkFor is where a lease belongs: to the network that was named, or the one that has its address.
func (i importer) networkFor(named string, l *control.ImportLease) (network, reason string) {
	if named != "" {
		return named, ""
	}
	for _, n := range i.parts.leases.Networks {
		if n.Subnet.Contains(l.Address) {
			return n.Name, ""
		}
	}
	return "", "no network that serves DHCP has this address"
}

// served is an error where unknown clients aren't, and nothing is reserved for this one.
func (i importer) served(network string, l leases.Lease) error {
	c := leases.Client{ID: l.ID, HWType: l.HWType, HWAddr: l.HWAddr, RequestedName: l.RequestedName}
	if _, reserved := i.table.ReservationFor(network, c); !reserved {
		return leases.ErrDenied
	}
	return nil
}

// commit decides a batch, waits until it is durable, and empties it.
func (i importer) commit(ctx context.Context, b *batch, results []control.ImportResult) error {
	defer func() { b.at, b.in = b.at[:0], b.in[:0] }()
	verdicts, changes, err := i.table.Import(b.network, b.in, time.Now())
	if errors.Is(err, leases.ErrUnknownNetwork) {
		return fmt.Errorf("%w: the configuration was reloaded, and has no network %q any more", control.ErrNotFound, b.network)
	}
	if err != nil {
		return err
	}
	committed := make(chan error, 1)
	i.table.Submit(changes, func(err error) { committed <- err })
	select {
	case err = <-committed:
	case <-ctx.Done():
		return ctx.Err()
	}
	for n, v := range verdicts {
		r := importResult(b.network, v)
		if err != nil && (v.Outcome == leases.ImportTaken || v.Outcome == leases.ImportFormer) {
			r = control.ImportResult{Outcome: control.OutcomeRefused, Network: b.network, Reason: "it can't be stored: " + err.Error()}
		}
		results[b.at[n]] = r
	}
	return nil
}

func importResult(network string, v leases.ImportVerdict) control.ImportResult {
	r := control.ImportResult{
		Network: network, Name: v.Lease.Name, Without: v.Nameless,
		Outcome: map[leases.ImportOutcome]string{
			leases.ImportTaken: control.OutcomeImported, leases.ImportFormer: control.OutcomeEnded, leases.ImportUnchanged: control.OutcomeUnchanged,
			leases.ImportSkipped: control.OutcomeSkipped, leases.ImportRefused: control.OutcomeRefused,
		}[v.Outcome],
	}
	if v.Err != nil {
		r.Reason = v.Err.Error()
	}
	return r
}

// lastSecond is the end of the year 9999: later times can't be written in JSON.
const lastSecond = 253402300799

// importedLease makes l a lease of the client that the DHCP server will know.
func importedLease(l *control.ImportLease, identity dhcpserver.IdentityPolicy) (leases.Imported, error) {
	var state leases.State
	if err := state.UnmarshalText([]byte(l.State)); err != nil || state == leases.Offered {
		return leases.Imported{}, fmt.Errorf("state %q is none of bound, declined, released and expired", l.State)
	}
	var hw leases.HWAddr
	if err := hw.UnmarshalText([]byte(l.MAC)); err != nil {
		return leases.Imported{}, err
	}
	if len(hw) > 16 {
		return leases.Imported{}, fmt.Errorf("hardware address %v is longer than 16 bytes", hw)
	}
	var option leases.HWAddr // bytes in hexadecimal, too
	if err := option.UnmarshalText([]byte(l.ClientID)); err != nil {
		return leases.Imported{}, fmt.Errorf("client identifier %q is not bytes in hexadecimal with colons", l.ClientID)
	}
	for _, at := range []struct {
		what string
		unix int64
	}{{"expiry", l.Expires}, {"start", l.Start}, {"last message", l.LastSeen}} {
		if at.unix < 0 || at.unix > lastSecond {
			return leases.Imported{}, fmt.Errorf("its %s is no time", at.what)
		}
	}
	in := leases.Imported{Lease: leases.Lease{
		Addr: l.Address, ID: identity.Identify(l.HardwareType, []byte(hw), []byte(option)), HWType: l.HardwareType, HWAddr: hw,
		Name: l.Name, State: state, RequestedName: l.Hostname, VendorClass: l.VendorClass,
		Start: fromUnix(l.Start), LastSeen: fromUnix(l.LastSeen), Expiry: fromUnix(l.Expires),
	}}
	switch {
	case state != leases.Declined:
		in.Clone = identity.IdentifyClone([]byte(hw), []byte(option))
	case l.Foreign || in.Lease.ID == "":
		if hw == "" {
			hw = leases.HWAddr(make([]byte, 6)) // of whom nothing is known
		}
		in.Lease.HWAddr, in.Lease.ID = hw, leases.ClientIDFromARP(hw)
	}
	return in, nil
}

// fromUnix is the zero time for 0.
func fromUnix(sec int64) time.Time {
	if sec == 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}
