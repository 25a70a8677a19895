package files

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"sort"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// entry is one entry of a list. Size is in bytes. A symbolic link is listed as
// itself, so that walking the tree always ends.
type entry struct {
	Name  string `json:"name"`
	Path  string `json:"path"`
	IsDir bool   `json:"isDir"`
	Size  int64  `json:"size"`
}

// list responds with the entries of a directory, sorted by name.
func list(response http.ResponseWriter, path string) error {
	names, err := readNames(path, limit.DirectoryEntriesMax)
	if err != nil {
		return err
	}
	sort.Strings(names)
	response.Header().Set("Content-Type", "application/json")
	out := bufio.NewWriterSize(response, 16<<10)
	out.WriteByte('[')
	first := true
	for _, name := range names {
		information, err := os.Lstat(filepath.Join(path, name))
		if err != nil {
			continue // It was deleted meanwhile.
		}
		text, err := json.Marshal(entry{
			Name: name, Path: filepath.Join(path, name), IsDir: information.IsDir(), Size: information.Size(),
		})
		if err != nil {
			log.Printf("cannot complete the list of %s: %v", path, err)
			panic(http.ErrAbortHandler)
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.Write(text)
	}
	out.WriteByte(']')
	if err := out.Flush(); err != nil {
		log.Printf("cannot complete the list of %s: %v", path, err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

func readNames(path string, countMax int) ([]string, error) {
	information, err := os.Stat(path)
	if err != nil {
		return nil, wire.FromFileSystem(path, err)
	}
	if !information.IsDir() {
		return nil, wire.Errorf(wire.NotADirectory, "%s is a file, expected a directory", path)
	}
	directory, err := os.Open(path)
	if err != nil {
		return nil, wire.FromFileSystem(path, err)
	}
	defer directory.Close()
	var names []string
	for {
		batch, err := directory.Readdirnames(1024)
		names = append(names, batch...)
		if len(names) > countMax {
			return nil, wire.Errorf(wire.DirectoryTooLarge, "%s has more than %d entries, the limit. List it with a command", path, countMax)
		}
		if errors.Is(err, io.EOF) {
			return names, nil
		}
		if err != nil {
			return nil, wire.FromFileSystem(path, err)
		}
	}
}
