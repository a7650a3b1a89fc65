package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"labnet/internal/nettest"
)

// TestMistakesAreDnsmasqsOwn: a line is refused by the import if dnsmasq refuses it, and by no other reason.
func TestMistakesAreDnsmasqsOwn(t *testing.T) {
	nettest.NeedRoot(t)
	l := newLabWithoutDNS(t)
	conf := filepath.Join(l.dir, "one.conf")
	accepted, refused := 0, 0
	for line := range strings.Lines(read(t, "testdata/dnsmasq.lines")) {
		write(t, conf, line)
		_, theirs := l.router.Try("dnsmasq", "--test", "--conf-file="+conf)
		write(t, conf, line+"dhcp-range=10.0.0.5,10.0.0.9,255.255.255.0\n")
		l.config = filepath.Join(l.dir, "labnet.hcl")
		l.router.Run(t, "sh", "-c", "rm -f "+l.dir+"/labnet.*")
		out, ours := l.tryLabnet(t, "import", "dnsmasq", "--root", "/", "--allow-lossy", "-o", l.config, conf)
		if (theirs == nil) != (ours == nil) {
			t.Errorf("%s  dnsmasq says %v, and the import %v:\n%s", line, theirs, ours, out)
		}
		if ours != nil {
			refused++
			continue
		}
		accepted++
		l.labnet(t, "check")
	}
	t.Logf("%d lines are accepted, %d refused", accepted, refused)
	if accepted < 50 || refused < 10 {
		t.Errorf("only %d and %d", accepted, refused)
	}
}
