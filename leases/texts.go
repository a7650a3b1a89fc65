package leases

// texts is what a record has in texts, one behind the other in one string: of a million leases the headers and the allocations count.
type texts struct {
	all                      string // client, hardware address, name that it asked for, name if that is another one
	hwLen, askedLen, nameLen uint8
	nameAsked                bool // the name is the one that it asked for
}

// newTexts takes hw, asked and name as far as maxText.
func newTexts(id ClientID, hw HWAddr, asked, name string) texts {
	hw, asked = HWAddr(cut(string(hw))), cut(asked)
	t := texts{hwLen: uint8(len(hw)), askedLen: uint8(len(asked))}
	t.all = string(id) + string(hw) + asked
	return t.named(name)
}

// named is t with another name.
func (t texts) named(name string) texts {
	name = cut(name)
	if name == t.name() {
		return t
	}
	t.all = t.all[:len(t.all)-int(t.nameLen)]
	t.nameLen, t.nameAsked = 0, false
	switch {
	case name == "":
	case name == t.requestedName():
		t.nameAsked = true
	default:
		t.all += name
		t.nameLen = uint8(len(name))
	}
	return t
}

func (t *texts) id() ClientID {
	return ClientID(t.all[:len(t.all)-int(t.nameLen)-int(t.askedLen)-int(t.hwLen)])
}

func (t *texts) hw() HWAddr {
	end := len(t.all) - int(t.nameLen) - int(t.askedLen)
	return HWAddr(t.all[end-int(t.hwLen) : end])
}

func (t *texts) requestedName() string {
	end := len(t.all) - int(t.nameLen)
	return t.all[end-int(t.askedLen) : end]
}

func (t *texts) name() string {
	if t.nameAsked {
		return t.requestedName()
	}
	return t.all[len(t.all)-int(t.nameLen):]
}
