package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"
)

const opWeight = 0x06

// Any key of this length: what it costs is the same. The TypeScript contestants have the same one.
var key = []byte(strings.Repeat("k", 32))

// command has the layout of docs/protocol.md, but for bytes 1 and 2, which together number the archive, and the
// sequence, which is the generation: the receiver tells by them what it was told.
func command(archive *Archive) ([]byte, error) {
	name := archive.Name
	number, err := strconv.ParseUint(name[strings.LastIndexByte(name, '-')+1:], 10, 16)
	if err != nil {
		return nil, err
	}
	bytes := make([]byte, 9, 16)
	bytes[0] = opWeight
	binary.BigEndian.PutUint16(bytes[1:], uint16(number))
	binary.BigEndian.PutUint16(bytes[3:], uint16(archive.Spec.CPU.Weight))
	binary.BigEndian.PutUint32(bytes[5:], uint32(archive.Generation))
	mac := hmac.New(sha256.New, key)
	mac.Write(bytes)
	return append(bytes, mac.Sum(nil)[:7]...), nil
}
