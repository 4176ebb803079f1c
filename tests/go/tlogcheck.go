// Checks a checkpoint, and one proof under it, with Go's own transparency log code.
//
//	tlogcheck KEY.pem CHECKPOINT inclusion LINE_FILE INDEX HASH...
//	tlogcheck KEY.pem CHECKPOINT consistency OLD_CHECKPOINT HASH...
package main

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// deviceKey is signature type 0x02 of the signed-note specification.
type deviceKey struct {
	name string
	hash uint32
	key  *ecdsa.PublicKey
}

func (v deviceKey) Name() string    { return v.name }
func (v deviceKey) KeyHash() uint32 { return v.hash }
func (v deviceKey) Verify(msg, sig []byte) bool {
	digest := sha256.Sum256(msg)
	return ecdsa.VerifyASN1(v.key, digest[:], sig)
}

func must(err error) {
	if err != nil {
		fmt.Println("REFUSED:", err)
		os.Exit(1)
	}
}

func read(path string) []byte {
	data, err := os.ReadFile(path)
	must(err)
	return data
}

func open(keyFile, path string) (int64, tlog.Hash) {
	block, _ := pem.Decode(read(keyFile))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	must(err)
	spki := sha256.Sum256(block.Bytes)
	data := read(path)
	name := strings.SplitN(string(data), "\n", 2)[0]
	verifier := deviceKey{name, binary.BigEndian.Uint32(spki[:4]), parsed.(*ecdsa.PublicKey)}
	opened, err := note.Open(data, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	return size, root
}

func hashes(texts []string) []tlog.Hash {
	var found []tlog.Hash
	for _, text := range texts {
		raw, err := base64.StdEncoding.DecodeString(text)
		must(err)
		var hash tlog.Hash
		copy(hash[:], raw)
		found = append(found, hash)
	}
	return found
}

func main() {
	args := os.Args[1:]
	size, root := open(args[0], args[1])
	switch args[2] {
	case "inclusion":
		index, err := strconv.ParseInt(args[4], 10, 64)
		must(err)
		must(tlog.CheckRecord(hashes(args[5:]), size, root, index, tlog.RecordHash(read(args[3]))))
	case "consistency":
		oldSize, oldRoot := open(args[0], args[3])
		must(tlog.CheckTree(hashes(args[4:]), size, root, oldSize, oldRoot))
	}
	fmt.Println("OK", size)
}
