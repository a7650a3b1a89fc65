package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"labnet/internal/control"
)

func exampleLeaseEvents() []control.LeaseEvent {
	all := exampleLeases()
	builder, forever, hostile, gone := all[0], all[1], all[2], all[7]
	renamed := builder
	renamed.Name, renamed.MAC = "builder-2", "52:54:00:00:00:99"
	ended := builder
	ended.State, ended.Name = "released", ""
	now := at("2030-01-02T12:00:00Z")
	return []control.LeaseEvent{
		{Event: control.EventResync, Seq: 41, Instance: "one", Reason: control.ResyncStart},
		{Event: control.EventListed, Lease: &gone},
		{Event: control.EventListed, Lease: &hostile},
		{Event: control.EventSynced, Seq: 41},
		{Event: "bound", Seq: 42, Time: now, Lease: &builder},
		{Event: "renewed", Seq: 43, Time: now.Add(time.Second), Lease: &forever, Before: &forever},
		{Event: "changed", Seq: 44, Time: now.Add(2 * time.Second), Lease: &renamed, Before: &builder},
		{Event: "released", Seq: 45, Time: now.Add(3 * time.Second), Lease: &ended, Before: &builder},
		{Event: control.EventGone, Time: now.Add(4 * time.Second)},
		{Event: control.EventResync, Instance: "two", Reason: control.ResyncRestart},
		{Event: control.EventSynced},
		{Event: control.EventResync, Seq: 20000, Instance: "two", Reason: control.ResyncLost},
	}
}

func TestLeaseEventsAsText(t *testing.T) {
	var text, lines bytes.Buffer
	for i, e := range exampleLeaseEvents() {
		if err := writeLeaseEvent(&text, e, i > 4, time.UTC); err != nil {
			t.Fatal(err)
		}
		if err := writeJSONLine(&lines, e); err != nil {
			t.Fatal(err)
		}
	}
	harmless(t, text.String())
	harmless(t, lines.String())
	golden(t, "watch", text.String())
	golden(t, "watch-json", lines.String())
}

func TestWatch(t *testing.T) {
	f := &fake{leases: exampleLeases(), happens: exampleLeaseEvents()[4:6]}
	got := ask(t, f, "leases", "watch", "--filter", "name=builder", "--count", "2", "-o", "ndjson")
	if got.Code != exitDone || got.ErrOut != "" || strings.Count(got.Out, "\n") != 5 || !strings.HasSuffix(got.Out, "\n") {
		t.Errorf("%+v", got)
	}
	if got := ask(t, f, "leases", "watch", "--network", "nowhere"); got.Code != exitFailed || !strings.Contains(got.ErrOut, "there is: lab, dmz") {
		t.Errorf("no such network: %+v", got)
	}
	for _, wrong := range []string{"--count -1", "--filter states=bound", "-o json"} {
		if got := ask(t, f, append([]string{"leases", "watch"}, strings.Fields(wrong)...)...); got.Code != exitWrongUse {
			t.Errorf("%s: %+v", wrong, got)
		}
	}
}

func TestWait(t *testing.T) {
	f := &fake{leases: exampleLeases()}
	for _, test := range []struct {
		args string
		want result
	}{
		{"builder", result{exitDone, "10.0.0.57\n", ""}},
		{"builder --for dns", result{exitDone, "10.0.0.57\n", ""}},
		{"nobody --timeout 10ms", result{exitFailed, "", "labnet: not within 10ms: no lease in force has it\n"}},
	} {
		if got := ask(t, f, append([]string{"leases", "wait"}, strings.Fields(test.args)...)...); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.args, got, test.want)
		}
	}
	for _, wrong := range []string{"", "a b", "a --for never", "a --timeout 0s"} {
		if got := ask(t, f, append([]string{"leases", "wait"}, strings.Fields(wrong)...)...); got.Code != exitWrongUse {
			t.Errorf("%s: %+v", wrong, got)
		}
	}
}

// TestWaitForTheDaemon waits for a guest before the daemon is there.
func TestWaitForTheDaemon(t *testing.T) {
	socket, stop := serveFake(t, &fake{leases: exampleLeases()})
	defer stop()
	moved := socket + ".moved"
	if err := os.Rename(socket, moved); err != nil {
		t.Fatal(err)
	}
	done := make(chan result)
	go func() { done <- labnet(t, nil, "leases", "wait", "builder", "--socket", socket, "-c", socket+".none") }()
	time.Sleep(2 * waitReturn)
	if err := os.Rename(moved, socket); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got.Code != exitDone || got.Out != "10.0.0.57\n" {
		t.Errorf("%+v", got)
	}
}
