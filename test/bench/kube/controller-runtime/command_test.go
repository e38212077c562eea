package main

import (
	"encoding/hex"
	"testing"
)

// The TypeScript contestants are held to the same bytes (command.test.ts).
func TestACommandIsWhatTheOthersSend(t *testing.T) {
	archive := &Archive{}
	archive.Name = "cluster-totebox-bench-7"
	archive.Generation = 3
	archive.Spec.CPU.Weight = 101
	bytes, err := command(archive)
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(bytes); got != "060007006500000003d276a31666fa63" {
		t.Fatal(got)
	}
}
