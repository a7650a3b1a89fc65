package dnsserver

import (
	"encoding/binary"
	"math/bits"
)

// sipKey is a key of SipHash-2-4 (Aumasson and Bernstein, 2012), the hash that RFC 9018 section 4.4 asks for: the state that every sum
// starts with.
type sipKey [4]uint64

func newSipKey(secret [16]byte) sipKey {
	k0, k1 := binary.LittleEndian.Uint64(secret[:]), binary.LittleEndian.Uint64(secret[8:])
	return sipKey{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
}

// sum hashes data.
func (k *sipKey) sum(data []byte) uint64 {
	v0, v1, v2, v3 := k[0], k[1], k[2], k[3]
	last := uint64(len(data)) << 56
	for more := true; more; {
		word := last
		if more = len(data) >= 8; more {
			word = binary.LittleEndian.Uint64(data)
			data = data[8:]
		} else {
			for i, b := range data {
				word |= uint64(b) << (8 * i)
			}
		}
		v3 ^= word
		for range 2 {
			v0, v1, v2, v3 = halfRound(v0, v1, v2, v3, 13, 16)
			v2, v1, v0, v3 = halfRound(v2, v1, v0, v3, 17, 21)
		}
		v0 ^= word
	}
	v2 ^= 0xff
	for range 4 {
		v0, v1, v2, v3 = halfRound(v0, v1, v2, v3, 13, 16)
		v2, v1, v0, v3 = halfRound(v2, v1, v0, v3, 17, 21)
	}
	return v0 ^ v1 ^ v2 ^ v3
}

// halfRound is half of a SipRound; by values, so that it is inlined.
func halfRound(a, b, c, d uint64, s, t int) (_, _, _, _ uint64) {
	a += b
	c += d
	return bits.RotateLeft64(a, 32), bits.RotateLeft64(b, s) ^ a, c, bits.RotateLeft64(d, t) ^ c
}
