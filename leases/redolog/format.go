package redolog

import (
	"encoding/binary"
	"hash/crc32"
)

// A file is a header, then frames one behind the other. A frame that isn't valid ends the file: it is the rest of an earlier
// use, or one whose sync never returned.
//
//	header: magic [8], ID [16], sequence number of the segment u64, CRC-32C of all that u32
//	frame:  length of the payload u32, CRC-32C u32 of segment, offset of the frame, length and payload; payload
//
// Numbers are little-endian. The checksum of a frame covers its segment and its place, so that an old frame, which lies
// where a new one would, is never taken for one.
const (
	magic      = "labredo1"
	idLen      = 16
	headerLen  = len(magic) + idLen + 8 + 4
	frameExtra = 4 + 4
)

// ID says which database a log belongs to.
type ID [idLen]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func appendHeader(b []byte, id ID, seq uint64) []byte {
	start := len(b)
	b = append(append(b, magic...), id[:]...)
	b = binary.LittleEndian.AppendUint64(b, seq)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parseHeader reads a header; ok is false where there is none.
func parseHeader(b []byte) (id ID, seq uint64, ok bool) {
	if len(b) < headerLen || string(b[:len(magic)]) != magic {
		return ID{}, 0, false
	}
	body := b[:headerLen-4]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[headerLen-4:]) {
		return ID{}, 0, false
	}
	copy(id[:], b[len(magic):])
	return id, binary.LittleEndian.Uint64(b[len(magic)+idLen:]), true
}

// appendFrame appends the frame that lies at offset of segment seq.
func appendFrame(b []byte, seq uint64, offset int, payload []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, checksum(seq, offset, payload))
	return append(b, payload...)
}

func checksum(seq uint64, offset int, payload []byte) uint32 {
	var place [20]byte
	binary.LittleEndian.PutUint64(place[:], seq)
	binary.LittleEndian.PutUint64(place[8:], uint64(offset))
	binary.LittleEndian.PutUint32(place[16:], uint32(len(payload)))
	return crc32.Update(crc32.Checksum(place[:], castagnoli), castagnoli, payload)
}

// parseFrames returns the payloads of a segment's frames, which are parts of file.
func parseFrames(file []byte, seq uint64) (payloads [][]byte) {
	for offset := headerLen; offset+frameExtra <= len(file); {
		length := int(binary.LittleEndian.Uint32(file[offset:]))
		from := offset + frameExtra
		if length == 0 || length > len(file)-from {
			break
		}
		payload := file[from : from+length]
		if checksum(seq, offset, payload) != binary.LittleEndian.Uint32(file[offset+4:]) {
			break
		}
		payloads = append(payloads, payload)
		offset = from + length
	}
	return payloads
}
