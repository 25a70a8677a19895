package generation

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// renewSignal is the signal that the image's sitecustomize of Python catches to
// reseed the generator of the module random.
const renewSignal = syscall.Signal(63)

// Pauser freezes every process but the agent's own.
type Pauser interface {
	IsFrozen() bool
	Freeze() error
	Thaw() error
}

// Notify signals the Python processes that catch the signal. They are frozen
// meanwhile: it would kill a process that replaced its program between the check
// and the signal. proc is where procfs(5) is mounted.
func Notify(proc string, pauser Pauser) error {
	listening, err := findListening(proc)
	if err != nil || len(listening) == 0 {
		return err
	}
	if !pauser.IsFrozen() {
		if err := pauser.Freeze(); err != nil {
			return fmt.Errorf("cannot signal Python processes: %w", err)
		}
		defer pauser.Thaw()
		if listening, err = findListening(proc); err != nil {
			return err
		}
	}
	for _, id := range listening {
		if err := syscall.Kill(id, renewSignal); err != nil && err != syscall.ESRCH {
			return fmt.Errorf("cannot signal process %d: %w", id, err)
		}
	}
	return nil
}

// findListening returns the processes that run Python and catch the signal.
func findListening(proc string) ([]int, error) {
	directory, err := os.Open(proc)
	if err != nil {
		return nil, fmt.Errorf("cannot list the processes: %w", err)
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("cannot list the processes: %w", err)
	}
	var found []int
	for _, name := range names {
		id, err := strconv.Atoi(name)
		if err != nil || id <= 1 {
			continue
		}
		// Kernel threads have no program; other failures mean that the process has ended.
		program, err := os.Readlink(filepath.Join(proc, name, "exe"))
		if err != nil || !strings.HasPrefix(filepath.Base(program), "python") {
			continue
		}
		status, err := os.ReadFile(filepath.Join(proc, name, "status"))
		if err == nil && catches(string(status), renewSignal) {
			found = append(found, id)
		}
	}
	return found, nil
}

// catches reads the mask SigCgt of a process's status (proc(5)).
func catches(status string, signal syscall.Signal) bool {
	const label = "\nSigCgt:"
	start := strings.Index(status, label)
	if start < 0 {
		return false
	}
	digits, _, _ := strings.Cut(status[start+len(label):], "\n")
	mask, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64)
	return err == nil && mask&(1<<(uint(signal)-1)) != 0
}
