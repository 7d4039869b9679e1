// Verify_proof checks a proof file of c2sp.org/tlog-proof with filippo.io/torchwood, a library of others for transparency logs.
//
//	go build . && ./verify_proof POLICY ENTRY PROOF
//
// The policy is a file of c2sp.org/tlog-policy, the entry the bytes whose hash is in the log. It says what is wrong and exits with
// 1, or exits with 0.
package main

import (
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	if len(os.Args) != 4 {
		refuse("usage: verify_proof POLICY ENTRY PROOF")
	}
	var files [3][]byte
	for i, name := range os.Args[1:] {
		data, err := os.ReadFile(name)
		if err != nil {
			refuse(err)
		}
		files[i] = data
	}
	policy, err := torchwood.ParsePolicy(files[0])
	if err != nil {
		refuse(err)
	}
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(files[1]), files[2]); err != nil {
		refuse(err)
	}
}

func refuse(why interface{}) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
