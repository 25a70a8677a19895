// Package generation publishes which life of its memory a machine is in, so
// that programs that were saved with it can tell that others run from the same
// memory.
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
	// textName is replaced as a whole, which inotify(7) reports.
	textName = "generation"
	// mappedName is written in place: a program that maps it sees a change at
	// once, without a system call.
	mappedName = "generation.map"
	idBytes    = 16
)

// Publisher keeps the two files of the generation.
type Publisher struct {
	directory string
}

// Open makes the files with a generation of their own, unless an earlier agent
// of this boot made them.
func Open(directory string) (*Publisher, error) {
	p := &Publisher{directory: directory}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the directory of the generation: %w", err)
	}
	_, err := os.Stat(filepath.Join(directory, textName))
	if err == nil {
		return p, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot find the generation: %w", err)
	}
	var id [idBytes]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, fmt.Errorf("cannot make a generation: %w", err)
	}
	_, err = p.Publish(hex.EncodeToString(id[:]))
	return p, err
}

// IsID reports whether the text is a generation: 32 lowercase hexadecimal digits.
func IsID(text string) bool {
	id, err := hex.DecodeString(text)
	return err == nil && len(id) == idBytes && hex.EncodeToString(id) == text
}

// Publish replaces the generation and reports whether it was another.
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

// writeMapped keeps the file's size, which programs rely on that map it.
func (p *Publisher) writeMapped(id []byte) error {
	file, err := os.OpenFile(filepath.Join(p.directory, mappedName), os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteAt(id, 0)
	return err
}
