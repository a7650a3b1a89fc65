package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/miekg/dns"
)

// guest is a virtual machine of the story: a place with a DHCP client and a stub resolver.
type guest struct {
	*place
	lease *nclient4.Lease
	took  time.Duration // from DISCOVER to ACK
}

// join leases an address as the guest and sets it, as a DHCP client does.
func (g *guest) join(ctx context.Context) error {
	return g.call(func() error {
		client, err := nclient4.New("eth0", nclient4.WithTimeout(time.Second), nclient4.WithRetry(10))
		if err != nil {
			return fmt.Errorf("starting the DHCP client: %w", err)
		}
		defer func() { _ = client.Close() }()
		start := time.Now()
		g.lease, err = client.Request(ctx, dhcpv4.WithOption(dhcpv4.OptHostName(g.name)),
			dhcpv4.WithRequestedOptions(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionDomainNameServer, dhcpv4.OptionDomainName))
		if err != nil {
			return fmt.Errorf("leasing an address: %w", err)
		}
		g.took = time.Since(start)
		ack := g.lease.ACK
		if len(ack.Router()) == 0 || len(ack.DNS()) == 0 {
			return errors.New("the lease has no router or no resolver")
		}
		return address("eth0", ack.YourIPAddr, ack.SubnetMask(), ack.Router()[0])
	})
}

// leave releases the lease, as a guest that shuts down does.
func (g *guest) leave() error {
	release, err := dhcpv4.NewReleaseFromACK(g.lease.ACK)
	if err != nil {
		return fmt.Errorf("%s: releasing the address: %w", g.name, err)
	}
	return g.call(func() error {
		// RFC 2131 section 4.4.4: by unicast, so from the address itself.
		conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: g.addr(), Port: dhcpv4.ClientPort},
			&net.UDPAddr{IP: g.lease.ACK.ServerIdentifier(), Port: dhcpv4.ServerPort})
		if err != nil {
			return err
		}
		_, err = conn.Write(release.ToBytes())
		return errors.Join(err, conn.Close())
	})
}

func (g *guest) addr() net.IP { return g.lease.ACK.YourIPAddr }

// resolve asks the resolver that the lease named, and returns the answers' data and the response code.
func (g *guest) resolve(ctx context.Context, name string, qtype uint16) (answers []string, rcode string, err error) {
	err = g.call(func() error {
		m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
		client := dns.Client{Timeout: 3 * time.Second}
		reply, _, err := client.ExchangeContext(ctx, m, net.JoinHostPort(g.lease.ACK.DNS()[0].String(), "53"))
		if err != nil {
			return fmt.Errorf("asking for %s: %w", name, err)
		}
		rcode = dns.RcodeToString[reply.Rcode]
		for _, rr := range reply.Answer {
			answers = append(answers, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
		return nil
	})
	return answers, rcode, err
}

// lookUp is resolve for a name that must have an answer.
func (g *guest) lookUp(ctx context.Context, name string, qtype uint16) (string, error) {
	answers, rcode, err := g.resolve(ctx, name, qtype)
	if err != nil {
		return "", err
	}
	if len(answers) == 0 {
		return "", fmt.Errorf("%s: no answer for %s: %s", g.name, name, rcode)
	}
	return answers[len(answers)-1], nil
}
