package dhcpserver

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// maxBootText bounds a boot file's and a boot server's name: what one option holds. Boot ROMs don't join pieces.
const maxBootText = 255

// check refuses what can't be sent.
func (b Boot) check() error {
	switch {
	case len(b.File) > maxBootText || len(b.ServerName) > maxBootText:
		return fmt.Errorf("boot file and server name: at most %d bytes", maxBootText)
	case strings.ContainsRune(b.File+b.ServerName, 0):
		return errors.New("boot file and server name: no zero bytes")
	case b.NextServer.IsValid() && !b.NextServer.Is4():
		return fmt.Errorf("next server %v: must be an IPv4 address", b.NextServer)
	}
	return nil
}

// over returns b with what upper gives in its place. Another server hasn't the name of the former one.
func (b Boot) over(upper Boot) Boot {
	b.File = cmp.Or(upper.File, b.File)
	if upper.NextServer.IsValid() {
		b.NextServer, b.ServerName = upper.NextServer, ""
	}
	b.ServerName = cmp.Or(upper.ServerName, b.ServerName)
	return b
}

// serverOption and fileOption are options 66 and 67, which say again what the header says (RFC 2132 sections 9.4 and 9.5): to
// those that ask for them, and to everybody what is too long for the header. A server without a name is named by its
// address: phones and U-Boot read nothing but option 66.
func (b Boot) serverOption() Option {
	name := b.ServerName
	if name == "" && b.NextServer.IsValid() && !b.NextServer.IsUnspecified() {
		name = b.NextServer.String()
	}
	return Option{Code: optTFTPServerName, Data: []byte(name), Always: len(name) > maxSname}
}

func (b Boot) fileOption() Option {
	return Option{Code: optBootFile, Data: []byte(b.File), Always: len(b.File) > maxFile}
}

// bootFields are the header's fields for booting (RFC 2131 section 2).
type bootFields struct {
	siaddr      [4]byte
	sname, file string // "" also if too long for the header
	boots       bool   // there is a boot file, in the header or in option 67
	given       bool   // any of these
}

// The header's fields end by a zero.
const (
	maxSname = offsetFile - offsetSname - 1
	maxFile  = offsetCookie - offsetFile - 1
)

// fields returns the header's fields. Where a boot file but no server is given, the file is on this host: a client that finds no
// address in siaddr looks nowhere.
func (b Boot) fields(server netip.Addr) bootFields {
	f := bootFields{boots: b.File != "", given: b != Boot{}}
	switch {
	case b.NextServer.IsValid():
		f.siaddr = b.NextServer.As4()
	case f.boots:
		f.siaddr = server.As4()
	}
	if len(b.ServerName) <= maxSname {
		f.sname = b.ServerName
	}
	if len(b.File) <= maxFile {
		f.file = b.File
	}
	return f
}

// put writes the fields into the header h of a reply.
func (f *bootFields) put(h []byte) {
	if !f.given {
		return
	}
	copy(h[offsetSiaddr:], f.siaddr[:])
	copy(h[offsetSname:], f.sname)
	copy(h[offsetFile:], f.file)
}

// The vendor classes of boot ROMs begin like this; what follows tells the architecture.
const (
	vendorPXE  = "PXEClient"
	vendorHTTP = "HTTPClient"
)

// vendorReply is option 60 of the reply to m, "" for none. UEFI takes a boot URL only from a server that says "HTTPClient" (UEFI
// specification, HTTP boot). To "PXEClient" the answer makes the reply one of a PXE boot server, whose option 43 is read and
// must say where to boot from (PXE specification 2.1, section 2.4): it is given where a class or host has an option 43. One
// for all of the network is for other clients, which a ROM must not read; and without, it simply takes the header's boot file.
func (p *profile) vendorReply(m *message) string {
	vendor, ok := m.options.get(optVendorClass)
	switch {
	case !ok || p.has(optVendorClass):
		return ""
	case p.boot.boots && bytes.HasPrefix(vendor, []byte(vendorHTTP)):
		return vendorHTTP
	case p.vendorOwn && bytes.HasPrefix(vendor, []byte(vendorPXE)):
		return vendorPXE
	default:
		return ""
	}
}
