package netcfg

import "testing"

func TestAsksForRoutes(t *testing.T) {
	for release, want := range map[string]bool{
		"6.1.0-18-amd64": true, "5.17.0": true, "5.17": true, "5.17-rc1": true, "10.0": true,
		"5.16.20": false, "5.10.0-28-amd64": false, "4.19": false, "": false, "6": false, "x.y.z": false, "6.": false,
	} {
		if got := asksForRoutes(release); got != want {
			t.Errorf("%q: %t", release, got)
		}
	}
	if runningRelease() == "" {
		t.Error("the running kernel's release isn't told")
	}
}
