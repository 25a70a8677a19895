// Package generation publishes an id that changes each time a machine is restored
// from memory that others may be restored from too, so that programs in that
// memory notice it.
package generation

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// Directory is where the files are.
	Directory = "/run/opencomputer"
	// textName is replaced atomically, which inotify(7) reports.
	textName = "generation"
	// mappedName is written in place: a program that maps it sees a change at
	// once, without a system call.
	mappedName = "generation.map"
	idBytes    = 16
)

// Publisher writes the two files of the generation.
type Publisher struct {
	directory string
}

// Open creates the files with a random generation, unless an earlier agent of
// this boot has created them.
func Open(directory string) (*Publisher, error) {
	p := &Publisher{directory: directory}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, fmt.Errorf("cannot create the directory of the generation: %w", err)
	}
	_, err := os.Stat(filepath.Join(directory, textName))
	if err == nil {
		return p, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the generation: %w", err)
	}
	var id [idBytes]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("cannot create a generation: %w", err)
	}
	_, err = p.Publish(hex.EncodeToString(id[:]))
	return p, err
}

// IsID reports whether the text is a generation: 32 lowercase hexadecimal digits.
func IsID(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == idBytes && hex.EncodeToString(id) == text
}

// Publish replaces the generation and reports whether it has changed.
func (p *Publisher) Publish(generation string) (changed bool, err error) {
	id, err := hex.DecodeString(generation)
	if err != nil || len(id) != idBytes {
		return false, fmt.Errorf("cannot publish the generation %.80q: expected %d hexadecimal digits", generation, 2*idBytes)
	}
	path := filepath.Join(p.directory, textName)
	text := generation + "\n"
	present, err := os.ReadFile(path)
	if err == nil && string(present) == text {
		return false, nil
	}
	if err := p.writeMapped(id); err != nil {
		return false, fmt.Errorf("cannot publish the generation: %w", err)
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
		return false, fmt.Errorf("cannot publish the generation: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return false, fmt.Errorf("cannot publish the generation: %w", err)
	}
	return true, nil
}

// writeMapped keeps the file's size, on which programs that map it rely.
func (p *Publisher) writeMapped(id []byte) error {
	file, err := os.OpenFile(filepath.Join(p.directory, mappedName), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(id, 0)
	return err
}
