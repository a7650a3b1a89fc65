package leases

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// wide is a network with room for a million clients.
func wide() Network {
	return Network{
		Name: "lab", Subnet: netip.MustParsePrefix("10.0.0.0/8"), Gateway: ip("10.0.0.1"),
		Ranges: []Range{{ip("10.1.0.0"), ip("10.31.255.255")}},
	}
}

func crowd(count int) []Client {
	clients := make([]Client, count)
	for i := range clients {
		clients[i] = guest(i, fmt.Sprintf("guest%d", i))
		clients[i].VendorClass = "udhcp 1.30.1"
	}
	return clients
}

func crowdLeases(count int) []Lease {
	leases := make([]Lease, count)
	for i, c := range crowd(count) {
		leases[i] = Lease{
			Network: "lab", Addr: toAddr(toUint(ip("10.1.0.0")) + uint32(i)), ID: c.ID, HWType: 1, HWAddr: c.HWAddr, Name: c.RequestedName,
			State: Bound, Start: at(i % 100), Expiry: at(3600 + i%1000), LastSeen: at(i % 1000), RequestedName: c.RequestedName,
			VendorClass: c.VendorClass,
		}
	}
	return leases
}

// BenchmarkDecisions is what a DISCOVER and a REQUEST cost, new clients and renewals apart, without the store.
func BenchmarkDecisions(b *testing.B) {
	for _, name := range []string{"new", "renewal"} {
		b.Run(name, func(b *testing.B) {
			count := b.N
			if name == "renewal" {
				count = 60000
			}
			clients := crowd(count)
			leases := []Lease(nil)
			if name == "renewal" {
				leases = crowdLeases(count)
			}
			table := must[*Table](b)(NewTable(Config{Networks: []Network{wide()}}, NewMemory(leases...), slog.New(slog.DiscardHandler)))
			if err := table.Load(context.Background(), epoch); err != nil {
				b.Fatal(err)
			}
			c := committer{table: table}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N {
				client := clients[i%count]
				l, _, err := table.Offer("lab", client, netip.Addr{}, epoch)
				if err != nil {
					b.Fatal(err)
				}
				ch, err := table.Bind("lab", client, l.Addr, time.Hour, epoch)
				if err != nil {
					b.Fatal(err)
				}
				table.Submit([]Change{ch}, func(error) {})
				if i%32 == 31 {
					b.StopTimer()
					c.round(context.Background(), epoch)
					b.StartTimer()
				}
			}
		})
	}
}

// BenchmarkExchanges is Offer, Bind and Submit by clients that wait for the commit, so many at a time.
func BenchmarkExchanges(b *testing.B) {
	for _, store := range []string{"memory", "sqlite"} {
		for _, window := range []int{1, 8, 32, 128} {
			b.Run(fmt.Sprintf("store=%s/window=%d", store, window), func(b *testing.B) {
				var s Store = NewMemory()
				if store == "sqlite" {
					s = openStore(b, filepath.Join(b.TempDir(), "leases.db"))
				}
				exchanges(b, s, window)
			})
		}
	}
}

func exchanges(b *testing.B, store Store, window int) {
	table := must[*Table](b)(NewTable(Config{Networks: []Network{wide()}}, store, slog.New(slog.DiscardHandler)))
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = table.Run(ctx) })
	clients := crowd(60000)
	places := make(chan struct{}, window)
	failed := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		places <- struct{}{}
		c, now := clients[i%len(clients)], time.Now()
		l, _, err := table.Offer("lab", c, netip.Addr{}, now)
		if err != nil {
			b.Fatal(err)
		}
		ch, err := table.Bind("lab", c, l.Addr, time.Hour, now)
		if err != nil {
			b.Fatal(err)
		}
		table.Submit([]Change{ch}, func(err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
			<-places
		})
	}
	for range window {
		places <- struct{}{}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
	cancel()
	run.Wait()
	select {
	case err := <-failed:
		b.Fatal(err)
	default:
	}
}

// BenchmarkLoad reads 65,000 leases from SQLite into a table.
func BenchmarkLoad(b *testing.B) {
	leases := crowdLeases(65000)
	store := openStore(b, filepath.Join(b.TempDir(), "leases.db"))
	if err := store.Commit(context.Background(), leases); err != nil {
		b.Fatal(err)
	}
	used := cpu(b)
	for b.Loop() {
		table := must[*Table](b)(NewTable(Config{Networks: []Network{wide()}}, store, slog.New(slog.DiscardHandler)))
		if err := table.Load(context.Background(), epoch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpu(b)-used).Seconds()/float64(b.N), "cpu-s/op")
}

// BenchmarkLeases is the list of 60,000, and how long it keeps decisions waiting.
func BenchmarkLeases(b *testing.B) {
	table := must[*Table](b)(NewTable(Config{Networks: []Network{wide()}}, NewMemory(crowdLeases(60000)...), slog.New(slog.DiscardHandler)))
	if err := table.Load(context.Background(), epoch); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if len(table.Leases("")) != 60000 {
			b.Fatal("leases are missing")
		}
	}
}
