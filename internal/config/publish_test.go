package config

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPublishArrives(t *testing.T) {
	got := mustLoad(t, `
network "lab" {
  address = "10.0.0.1/24"
  bridge { name = "br0" }
  host "builder" {
    mac     = "52:54:00:12:34:56"
    address = "10.0.0.10"
    aliases = ["ci"]
  }
  host "web" { hostname = "web" }
  publish "Builder-SSH" {
    listen = 2222
    host   = "CI"
    port   = 22
  }
  publish "web" {
    protocol = "both"
    listen   = "8000-8010"
    address  = "192.0.2.2"
    host     = "web"
  }
  publish "names" {
    protocol = "udp"
    listen   = 53
    address  = "192.0.2.2"
    host     = "builder"
  }
}
network "dmz" {
  address = "10.0.1.1/24"
  bridge { name = "br1" }
  publish "ssh" {
    listen = "2222"
    protocol = "udp"
    host = "10.0.1.7"
  }
}
publish "dropped-in" {
  network = "lab"
  listen  = 8443
  host    = "10.0.0.10"
  port    = 443
}`)
	want := [][]Publish{
		{
			{Name: "builder-ssh", TCP: true, Listen: Ports{2222, 2222}, Host: "builder", Target: addr("10.0.0.10"), Ports: Ports{22, 22}},
			{Name: "web", TCP: true, UDP: true, Listen: Ports{8000, 8010}, Address: addr("192.0.2.2"), Host: "web", Ports: Ports{8000, 8010}},
			{Name: "names", UDP: true, Listen: Ports{53, 53}, Address: addr("192.0.2.2"), Host: "builder", Target: addr("10.0.0.10"), Ports: Ports{53, 53}},
			{Name: "dropped-in", TCP: true, Listen: Ports{8443, 8443}, Host: "builder", Target: addr("10.0.0.10"), Ports: Ports{443, 443}},
		},
		{{Name: "ssh", UDP: true, Listen: Ports{2222, 2222}, Target: addr("10.0.1.7"), Ports: Ports{2222, 2222}}},
	}
	if diff := cmp.Diff(want, [][]Publish{got.Networks[0].Publishes, got.Networks[1].Publishes}, compareNetip); diff != "" {
		t.Error(diff)
	}
}

func TestStrictGuardWithoutAMAC(t *testing.T) {
	_, diags := loadText(`
network "lab" {
  address = "10.0.0.1/24"
  bridge { guard = "strict" }
  host "known" {
    mac     = "52:54:00:12:34:56"
    address = "10.0.0.10"
  }
  host "anyone" { address = "10.0.0.11" }
}`)
	all := diags.All()
	if len(all) != 1 || all[0].Severity != SeverityWarning || all[0].Line != 9 {
		t.Errorf("got %+v", all)
	}
}
