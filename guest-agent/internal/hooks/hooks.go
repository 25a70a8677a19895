// Package hooks runs the programs that a sandbox's user has installed for every
// machine that is restored from memory that others are restored from too.
package hooks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"opencomputer/guest-agent/internal/command"
	"opencomputer/guest-agent/internal/limit"
)

const (
	// Directory is where the programs are.
	Directory = "/etc/opencomputer/on-fork.d"
	// outputBytesMax is how much of a failed hook's output is reported.
	outputBytesMax = 2000
)

// Run runs a command to its end.
type Run func(context.Context, *command.Request) (*command.Result, error)

// Hooks are the executable files of a directory.
type Hooks struct {
	directory string
	run       Run
	// All hooks together have this long.
	timeout time.Duration
}

// New returns the Hooks of the directory, which need not exist.
func New(directory string, run Run) *Hooks {
	return &Hooks{directory: directory, run: run, timeout: limit.ForkHooksTimeoutSecondsMax * time.Second}
}

// Exist reports whether there is a hook to run.
func (h *Hooks) Exist() bool {
	paths, err := h.list()
	return err != nil || len(paths) > 0
}

// list returns the hooks in the order of their names. Other than executable files
// are left out, as run-parts(8) does.
func (h *Hooks) list() ([]string, error) {
	entries, err := os.ReadDir(h.directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		path := filepath.Join(h.directory, entry.Name())
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// Run runs every hook as root, even if earlier ones fail, and returns a line for
// each hook that failed; empty when none did.
func (h *Hooks) Run(ctx context.Context, environment map[string]string) string {
	paths, err := h.list()
	if err != nil {
		return fmt.Sprintf("The hooks in %s cannot be listed: %v", h.directory, err)
	}
	var failures []string
	if len(paths) > limit.ForkHooksMax {
		failures = append(failures, fmt.Sprintf("%s has %d hooks, of which the first %d are run", h.directory, len(paths), limit.ForkHooksMax))
		paths = paths[:limit.ForkHooksMax]
	}
	deadline := time.Now().Add(h.timeout)
	for _, path := range paths {
		if failure := h.runOne(ctx, path, environment, time.Until(deadline)); failure != "" {
			failures = append(failures, fmt.Sprintf("Hook %s %s", filepath.Base(path), failure))
		}
	}
	text := strings.ToValidUTF8(strings.Join(failures, "\n"), "\uFFFD")
	if len(text) > limit.ForkHooksFailureBytesMax {
		text = strings.ToValidUTF8(text[:limit.ForkHooksFailureBytesMax], "")
	}
	return text
}

func (h *Hooks) runOne(ctx context.Context, path string, environment map[string]string, left time.Duration) string {
	if left < time.Millisecond {
		return fmt.Sprintf("was not run: all hooks together have %s, which those before it used up", h.timeout)
	}
	directory := "/"
	result, err := h.run(ctx, &command.Request{
		Command:             []string{path},
		Environment:         environment,
		WorkingDirectory:    &directory,
		TimeoutMilliseconds: left.Milliseconds(),
		OutputBytesMax:      outputBytesMax,
		AsRoot:              true,
	})
	if err != nil {
		return fmt.Sprintf("was not run: %v", err)
	}
	defer result.Release()
	switch {
	case result.TimedOut:
		return fmt.Sprintf("was killed: all hooks together have %s", h.timeout)
	case result.ExitCode != 0:
		return fmt.Sprintf("ended with exit code %d: %s", result.ExitCode, result.Message())
	default:
		return ""
	}
}
