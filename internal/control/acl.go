package control

import (
	"encoding/binary"
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// The kernel's form of an access control list, acl(5): a version, then entries of a tag, permissions and a number, in the order of the tags.
const (
	aclAttribute = "system.posix_acl_access"
	aclVersion   = 2
	aclNobody    = 0xffffffff // the number of entries that need none

	aclUser   = 0x01 // the owner
	aclOwners = 0x04 // the file's group
	aclGroup  = 0x08 // a group by its number
	aclMask   = 0x10 // what entries for the group and by number give at most
	aclOther  = 0x20
)

// openTo gives read and write to the owner and the group of a socket file, to the members of more groups, and to nobody else. It needs the
// owner's rights. The error is that of the file system, which may know no access control lists.
func openTo(path string, groups []uint32) error {
	if len(groups) == 0 {
		err := unix.Removexattr(path, aclAttribute)
		if errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP) {
			err = nil
		}
		return errors.Join(err, unix.Chmod(path, 0o660))
	}
	const readWrite = 6
	list := binary.LittleEndian.AppendUint32(nil, aclVersion)
	entry := func(tag, permissions uint16, number uint32) {
		list = binary.LittleEndian.AppendUint16(list, tag)
		list = binary.LittleEndian.AppendUint16(list, permissions)
		list = binary.LittleEndian.AppendUint32(list, number)
	}
	entry(aclUser, readWrite, aclNobody)
	entry(aclOwners, readWrite, aclNobody)
	sorted := slices.Clone(groups)
	slices.Sort(sorted)
	for _, gid := range slices.Compact(sorted) {
		entry(aclGroup, readWrite, gid)
	}
	entry(aclMask, readWrite, aclNobody)
	entry(aclOther, 0, aclNobody)
	return unix.Setxattr(path, aclAttribute, list, 0)
}
