package e2e

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// importClient is a machine that asks by DHCP.
type importClient struct {
	name    string
	mac     net.HardwareAddr
	options []dhcpv4.Modifier
}

// everyOption is a parameter request list of all that a server may send, but what is for messages.
func everyOption() []byte {
	var out []byte
	for code := 1; code < 255; code++ {
		if !slices.Contains([]int{50, 51, 52, 53, 54, 55, 56, 57, 61, 80, 82, 90, 118, 249}, code) {
			out = append(out, byte(code))
		}
	}
	return out
}

// importClients are those that the configuration knows, and those that it may tell from others by what they say.
func importClients(t *testing.T, c importCase) []importClient {
	t.Helper()
	text := importText(t, c)
	var out []importClient
	add := func(name, mac string, options ...dhcpv4.Modifier) {
		hw, err := net.ParseMAC(mac)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, importClient{name, hw, options})
	}
	var seen []string
	for _, mac := range regexp.MustCompile(`(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b`).FindAllString(text, -1) {
		if mac = strings.ToLower(mac); slices.Contains(seen, mac) || len(seen) > 8 {
			continue
		}
		seen = append(seen, mac)
		add("known "+mac, mac)
	}
	pxe := func(arch byte, vendor string, more ...dhcpv4.Modifier) []dhcpv4.Modifier {
		return append([]dhcpv4.Modifier{
			dhcpv4.WithOption(dhcpv4.OptClassIdentifier(vendor)),
			dhcpv4.WithGeneric(dhcpv4.OptionClientSystemArchitectureType, []byte{0, arch}),
			dhcpv4.WithGeneric(dhcpv4.OptionClientNetworkInterfaceIdentifier, []byte{1, 3, 16}),
			dhcpv4.WithGeneric(dhcpv4.OptionClientMachineIdentifier, append([]byte{0}, "0123456789abcdef"...)),
		}, more...)
	}
	add("unknown", "52:54:00:dd:00:01")
	add("unknown, with a name", "52:54:00:dd:00:02", dhcpv4.WithOption(dhcpv4.OptHostName("visitor")))
	add("of a prefix", "52:54:00:bb:00:01")
	add("of another prefix", "02:00:00:dd:00:01")
	add("of id 01:02:03:04", "52:54:00:dd:00:03", dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte{1, 2, 3, 4})))
	add("of id kodi", "52:54:00:dd:00:04", dhcpv4.WithOption(dhcpv4.OptClientIdentifier([]byte("kodi"))))
	add("a phone", "52:54:00:dd:00:05", dhcpv4.WithOption(dhcpv4.OptClassIdentifier("snom370")))
	add("Windows", "52:54:00:dd:00:06", dhcpv4.WithOption(dhcpv4.OptClassIdentifier("MSFT 5.0")))
	add("a ROM of BIOS", "52:54:00:dd:00:07", pxe(0, "PXEClient:Arch:00000:UNDI:002001")...)
	add("a ROM of UEFI", "52:54:00:dd:00:08", pxe(7, "PXEClient:Arch:00007:UNDI:003016")...)
	add("a ROM of UEFI, type 9", "52:54:00:dd:00:09", pxe(9, "PXEClient:Arch:00009:UNDI:003016")...)
	add("a ROM of Arm", "52:54:00:dd:00:0a", pxe(11, "PXEClient:Arch:00011:UNDI:003016")...)
	add("iPXE on BIOS", "52:54:00:dd:00:0b", pxe(0, "PXEClient:Arch:00000:UNDI:002001", dhcpv4.WithGeneric(dhcpv4.OptionUserClassInformation, []byte("iPXE")))...)
	add("iPXE on UEFI", "52:54:00:dd:00:0c", pxe(7, "PXEClient:Arch:00007:UNDI:003016", dhcpv4.WithGeneric(dhcpv4.OptionUserClassInformation, []byte("iPXE")))...)
	add("HTTP boot", "52:54:00:dd:00:0d", pxe(16, "HTTPClient:Arch:00016:UNDI:003001")...)
	return out
}

// toldClients lets all clients ask on all links, and returns what each is told, a line a fact. One that nobody answers is told nothing.
func (l *importLab) toldClients(t *testing.T) map[string][]string {
	t.Helper()
	var mu sync.Mutex
	var running sync.WaitGroup
	told := map[string][]string{}
	for _, link := range l.c.linkNames() {
		for _, list := range []string{"all", "few"} {
			for _, client := range importClients(t, l.c) {
				running.Go(func() {
					facts := l.swarms[link].told(client, list)
					for range 10 { // dnsmasq offers one address to two that ask at once, and refuses the second
						if !slices.Contains(facts, "ack type NAK") {
							break
						}
						facts = l.swarms[link].told(client, list)
					}
					mu.Lock()
					defer mu.Unlock()
					told[fmt.Sprintf("%s, %s on %s", client.name, list, link)] = facts
				})
			}
			running.Wait()
		}
	}
	return told
}

// told does the four messages.
func (s *swarm) told(c importClient, list string) []string {
	codes := everyOption()
	if list == "few" {
		codes = []byte{1, 3, 6, 12, 15, 28, 42, 121}
	}
	options := append([]dhcpv4.Modifier{
		dhcpv4.WithBroadcast(true), dhcpv4.WithOption(dhcpv4.OptMaxMessageSize(1472)), dhcpv4.WithGeneric(dhcpv4.OptionParameterRequestList, codes),
	}, c.options...)
	discover, err := dhcpv4.NewDiscovery(c.mac, options...)
	if err != nil {
		return []string{err.Error()}
	}
	offer, err := s.ask(discover, 2)
	if err != nil {
		return []string{"no offer"}
	}
	request, err := dhcpv4.NewRequestFromOffer(offer, options...)
	if err != nil {
		return []string{err.Error()}
	}
	ack, err := s.ask(request, 4)
	if err != nil {
		return []string{"no ACK"}
	}
	return append(facts("offer", offer), facts("ack", ack)...)
}

// facts are what a message says, each on a line.
func facts(kind string, m *dhcpv4.DHCPv4) []string {
	out := []string{
		fmt.Sprintf("%s type %s", kind, m.MessageType()),
		fmt.Sprintf("%s yiaddr %s", kind, m.YourIPAddr),
		fmt.Sprintf("%s siaddr %s", kind, m.ServerIPAddr),
		fmt.Sprintf("%s sname %q", kind, m.ServerHostName),
		fmt.Sprintf("%s file %q", kind, m.BootFileName),
	}
	for code, data := range m.Options {
		out = append(out, fmt.Sprintf("%s option %d %x %q", kind, code, data, data))
	}
	slices.Sort(out)
	return out
}
