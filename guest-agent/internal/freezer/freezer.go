// Package freezer freezes and thaws the processes of a restored machine with the
// freezer of cgroup v2, which they cannot notice.
package freezer

import (
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Root is where the guest's cgroups are mounted.
const Root = "/sys/fs/cgroup"

const (
	// groupName is the cgroup for processes of the root cgroup. They stay there:
	// moving one makes the kernel wait for all processors, and the group has no
	// limits.
	groupName = "opencomputer-restored"
	passesMax = 64
	waitMax   = 5 * time.Second
	waitStep  = 2 * time.Millisecond
)

// Freezer freezes all processes except the first one, its own, and those that its
// own starts afterwards.
type Freezer struct {
	root  string
	mutex sync.Mutex
	// The cgroups that it has frozen.
	frozen map[string]bool
}

// New returns a Freezer of the processes in the cgroup at root and below.
func New(root string) *Freezer {
	return &Freezer{root: root, frozen: map[string]bool{}}
}

// Freeze returns when all processes are frozen. When it fails, all are thawed.
// Calling it again freezes processes that have started meanwhile.
func (f *Freezer) Freeze() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	err := f.freeze()
	if err == nil {
		return nil
	}
	if err := f.thaw(); err != nil {
		log.Print(err)
	}
	return fmt.Errorf("cannot freeze the processes: %w", err)
}

// Thaw thaws what Freeze has frozen.
func (f *Freezer) Thaw() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.thaw()
}

// IsFrozen reports whether the processes are frozen because of it.
func (f *Freezer) IsFrozen() bool {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return len(f.frozen) > 0
}

// freeze continues until it finds nothing that runs: a process may have created
// another, or a cgroup, just before it was frozen.
func (f *Freezer) freeze() error {
	deadline := time.Now().Add(waitMax)
	for pass := 0; pass < passesMax; pass++ {
		moved, err := f.gather()
		if err != nil {
			return err
		}
		stopped, err := f.stopGroups()
		if err != nil {
			return err
		}
		if err := f.await(deadline); err != nil {
			return err
		}
		if moved+stopped == 0 {
			return nil
		}
	}
	return fmt.Errorf("new processes were still found after %d passes", passesMax)
}

// gather moves the processes of the root cgroup into the frozen one. It waits for
// a command that is being started: until that runs its program, freezing it would
// freeze the agent too.
func (f *Freezer) gather() (int, error) {
	group := filepath.Join(f.root, groupName)
	if err := os.Mkdir(group, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return 0, err
	}
	if !f.frozen[group] {
		if err := write(group, "cgroup.freeze", "1"); err != nil {
			return 0, err
		}
		f.frozen[group] = true
	}
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	list, err := os.ReadFile(filepath.Join(f.root, "cgroup.procs"))
	if err != nil {
		return 0, err
	}
	moved := 0
	for _, id := range strings.Fields(string(list)) {
		if id == "1" || id == strconv.Itoa(os.Getpid()) || isOfKernel(id) {
			continue
		}
		err := write(group, "cgroup.procs", id)
		if errors.Is(err, syscall.ESRCH) { // It has ended.
			continue
		}
		if err != nil {
			return 0, err
		}
		moved++
	}
	return moved, nil
}

// stopGroups freezes the cgroups that the guest's user created, for containers
// for instance. One that is frozen already was frozen by the user.
func (f *Freezer) stopGroups() (int, error) {
	entries, err := os.ReadDir(f.root)
	if err != nil {
		return 0, err
	}
	stopped := 0
	for _, entry := range entries {
		group := filepath.Join(f.root, entry.Name())
		if !entry.IsDir() || f.frozen[group] {
			continue
		}
		state, err := os.ReadFile(filepath.Join(group, "cgroup.freeze"))
		if errors.Is(err, fs.ErrNotExist) { // It has been removed.
			continue
		}
		if err != nil {
			return 0, err
		}
		if strings.TrimSpace(string(state)) == "1" {
			continue
		}
		if err := write(group, "cgroup.freeze", "1"); err != nil {
			return 0, err
		}
		f.frozen[group] = true
		stopped++
	}
	return stopped, nil
}

func (f *Freezer) await(deadline time.Time) error {
	for group := range f.frozen {
		for {
			state, err := os.ReadFile(filepath.Join(group, "cgroup.events"))
			if errors.Is(err, fs.ErrNotExist) || err == nil && strings.Contains(string(state), "frozen 1\n") {
				break
			}
			if err != nil {
				return err
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s is not frozen in time", group)
			}
			time.Sleep(waitStep)
		}
	}
	return nil
}

// thaw thaws all of them, even if one of them fails.
func (f *Freezer) thaw() error {
	var failure error
	for group := range f.frozen {
		delete(f.frozen, group)
		err := write(group, "cgroup.freeze", "0")
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			failure = fmt.Errorf("cannot thaw the processes: %w", err)
		}
	}
	return failure
}

// isOfKernel reports whether a process is a kernel thread, by the flag PF_KTHREAD
// in its stat (proc(5)).
func isOfKernel(id string) bool {
	const kernelThread = 0x00200000
	stat, err := os.ReadFile("/proc/" + id + "/stat")
	if err != nil {
		return false // It has ended.
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 7 {
		return false
	}
	flags, err := strconv.ParseUint(fields[6], 10, 64)
	return err == nil && flags&kernelThread != 0
}

func write(group, name, text string) error {
	file, err := os.OpenFile(filepath.Join(group, name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.WriteString(text)
	return err
}
