// Package environment keeps the variables that every command has.
package environment

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// Store holds the two lower layers of a command's environment: the image's
// variables, and those that the host configured. The latter are also written to a
// file on a memory-backed file system, so that a restarted agent has them.
type Store struct {
	image    map[string]string
	savePath string

	mutex      sync.RWMutex
	configured map[string]string
}

// Open reads the image's variables (lines of NAME=VALUE) from imagePath, and
// from savePath what an earlier agent of this boot was configured with.
func Open(imagePath, savePath string) (*Store, error) {
	image, err := readLines(imagePath)
	if err != nil {
		return nil, err
	}
	store := &Store{image: image, savePath: savePath, configured: map[string]string{}}
	text, err := os.ReadFile(savePath)
	if errors.Is(err, fs.ErrNotExist) {
		return store, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the configured environment: %w", err)
	}
	if err := json.Unmarshal(text, &store.configured); err != nil {
		return nil, fmt.Errorf("%s is not the environment that the agent saved: %w", savePath, err)
	}
	return store, nil
}

// Configure replaces the configured layer.
func (s *Store) Configure(variables map[string]string) error {
	text, err := json.Marshal(variables)
	if err != nil {
		return fmt.Errorf("cannot save the environment: %w", err)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := os.WriteFile(s.savePath, text, 0o600); err != nil {
		return fmt.Errorf("cannot save the environment: %w", err)
	}
	s.configured = variables
	return nil
}

// For merges the layers of one command, of which later ones take precedence: the
// image's variables, those of the account, the configured ones, and those of the
// command itself.
func (s *Store) For(account, command map[string]string) map[string]string {
	s.mutex.RLock()
	defer s.mutex.RUnlock()
	layers := []map[string]string{s.image, account, s.configured, command}
	count := 0
	for _, layer := range layers {
		count += len(layer)
	}
	merged := make(map[string]string, count)
	for _, layer := range layers {
		for name, value := range layer {
			merged[name] = value
		}
	}
	return merged
}

func readLines(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the image's environment: %w", err)
	}
	defer file.Close()
	variables := map[string]string{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("%s: expected lines of NAME=VALUE, found %q", path, line)
		}
		variables[name] = value
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return variables, nil
}
