// Verify_log checks a log in the form of c2sp.org/tlog-tiles with golang.org/x/mod/sumdb, the code by which the go command
// checks modules. All hashing and all signatures are that code's; here is only what reads files and compares.
//
//	apt-get install golang-go golang-golang-x-mod-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go build verify_log.go
//	./verify_log LOG_DIRECTORY VKEY_FILE [OLDER_CHECKPOINT..]
//
// The tree is built anew from the entries, and must have every hash of every tile, the root of the checkpoint, and the root of
// each older checkpoint. It says what is wrong and exits with 1, or exits with 0. (That code's own TileHashReader would need no
// entries, but as Debian 12 has it leaves some tiles unchecked where several hashes of the right edge stand in one.)
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The height of a tile of 256 hashes.
const height = 8

func main() {
	if len(os.Args) < 3 {
		refuse("usage: verify_log LOG_DIRECTORY VKEY_FILE [OLDER_CHECKPOINT..]")
	}
	dir := os.Args[1]
	key, err := note.NewVerifier(strings.TrimSpace(string(read(os.Args[2]))))
	check("the key", err)
	tree := open(filepath.Join(dir, "checkpoint"), key)

	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var hashes []tlog.Hash
		for _, index := range indexes {
			hashes = append(hashes, stored[index])
		}
		return hashes, nil
	})
	// One after the other, so that a size without entries behind it ends at the first bundle that is missing.
	for n := int64(0); n<<height < tree.N; n++ {
		for i, entry := range entries(dir, tileAt(0, n, tree.N)) {
			hashes, err := tlog.StoredHashes(n<<height+int64(i), entry, reader)
			check("the tree", err)
			stored = append(stored, hashes...)
		}
	}
	for level := 0; tree.N>>(height*level) > 0; level++ {
		for n := int64(0); n<<height < tree.N>>(height*level); n++ {
			compare(dir, tileAt(level, n, tree.N), reader)
		}
	}
	agree(filepath.Join(dir, "checkpoint"), tree, tree.N, reader)
	for _, older := range os.Args[3:] {
		agree(older, open(older, key), tree.N, reader)
	}
	fmt.Printf("%d entries, root %v\n", tree.N, tree.Hash)
}

// tileAt is the tile at n of a level, as wide as it is in a log of this size.
func tileAt(level int, n, size int64) tlog.Tile {
	tile := tlog.Tile{H: height, L: level, N: n, W: 1 << height}
	if left := size>>(height*level) - n<<height; left < 1<<height {
		tile.W = int(left)
	}
	return tile
}

// compare refuses a tile whose hashes are not those over the entries.
func compare(dir string, tile tlog.Tile, reader tlog.HashReader) {
	want, err := tlog.ReadTileData(tile, reader)
	check("the tree", err)
	name, have, whole := fileOf(dir, tile)
	if len(have) < len(want) || (whole && len(have) > len(want)) {
		refuse("%s has %d bytes, not %d", name, len(have), len(want))
	}
	for at := 0; at < len(want); at += tlog.HashSize {
		if !bytes.Equal(have[at:at+tlog.HashSize], want[at:at+tlog.HashSize]) {
			refuse("%s and the entries differ at hash %d of level %d", name, tile.N<<height+int64(at/tlog.HashSize), tile.L)
		}
	}
}

// agree refuses a checkpoint that is not that of the first entries of the log.
func agree(name string, tree tlog.Tree, size int64, reader tlog.HashReader) {
	if tree.N > size {
		refuse("%s is of %d entries, the log has %d", name, tree.N, size)
	}
	root := tlog.Hash(sha256.Sum256(nil))
	if tree.N > 0 {
		var err error
		root, err = tlog.TreeHash(tree.N, reader)
		check("the tree", err)
	}
	if root != tree.Hash {
		refuse("%s has another root than its %d entries", name, tree.N)
	}
}

// open reads a checkpoint that the key has signed under its own name.
func open(name string, key note.Verifier) tlog.Tree {
	signed, err := note.Open(read(name), note.VerifierList(key))
	check(name, err)
	lines := strings.Split(signed.Text, "\n")
	if len(lines) != 4 || lines[0] != key.Name() {
		refuse("%s is not a checkpoint of %s", name, key.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		refuse("%s has no size", name)
	}
	root, err := tlog.ParseHash(lines[2])
	check(name, err)
	return tlog.Tree{N: size, Hash: root}
}

// entries are those under a tile of level 0.
func entries(dir string, tile tlog.Tile) [][]byte {
	tile.L = -1
	name, bundle, whole := fileOf(dir, tile)
	var entries [][]byte
	for len(entries) < tile.W {
		if len(bundle) < 2 || len(bundle)-2 < int(binary.BigEndian.Uint16(bundle)) {
			refuse("%s is cut off at entry %d", name, tile.N<<height+int64(len(entries)))
		}
		end := 2 + int(binary.BigEndian.Uint16(bundle))
		entries, bundle = append(entries, bundle[2:end]), bundle[end:]
	}
	if whole && len(bundle) > 0 {
		refuse("%s goes on after its entries", name)
	}
	return entries
}

// fileOf reads a tile or, of level -1, a bundle. Where a partial one is not there the full one does as well, of which it is not
// the whole.
func fileOf(dir string, tile tlog.Tile) (name string, data []byte, whole bool) {
	name = pathOf(tile)
	data, err := os.ReadFile(filepath.Join(dir, name))
	if tile.W < 1<<height && os.IsNotExist(err) {
		tile.W = 1 << height
		if data, err := os.ReadFile(filepath.Join(dir, pathOf(tile))); err == nil {
			return pathOf(tile), data, false
		}
	}
	check(name, err)
	return name, data, true
}

// pathOf is where C2SP has what is at tile/8/0/.. and tile/8/data/.. for the go command.
func pathOf(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), "tile/8/")
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

func read(name string) []byte {
	data, err := os.ReadFile(name)
	check(name, err)
	return data
}

func check(what string, err error) {
	if err != nil {
		refuse("%s: %v", what, err)
	}
}

func refuse(format string, values ...interface{}) {
	fmt.Fprintf(os.Stderr, format+"\n", values...)
	os.Exit(1)
}
