// Package group keeps the commands of a sandbox in a separate cgroup, so that they
// reach the sandbox's size before the guest's kernel, and with it the agent, runs
// out of memory.
package group

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"opencomputer/guest-agent/internal/wire"
)

const (
	// Root is where the guest's cgroups are mounted.
	Root = "/sys/fs/cgroup"
	// name is part of the interface that programs in a sandbox rely on.
	name                  = "sandbox"
	cpuPeriodMicroseconds = 100_000
	unlimited             = "max"
)

// Limits are the resources that the commands of the sandbox may use together.
type Limits struct {
	MemoryBytesMax  int64 `json:"memoryBytesMax"`
	ProcessCountMax int   `json:"processCountMax"`
	// CPUPercentMax is 100 for each processor; 0 for no limit.
	CPUPercentMax int `json:"cpuPercentMax"`
}

// Outcome is the result of Limit. MemoryUsedBytes is what the group uses that
// the kernel cannot reclaim; only measured when Applied is false.
type Outcome struct {
	Applied         bool  `json:"applied"`
	MemoryUsedBytes int64 `json:"memoryUsedBytes"`
}

// Usage is the body of GET /v1/usage.
type Usage struct {
	MemoryUsedBytes int64 `json:"memoryUsedBytes"`
}

// Group is the cgroup of the commands.
type Group struct {
	directory string
	handle    *os.File
	suspended atomic.Bool
	mutex     sync.Mutex
}

// Open creates the group below root, unless it exists, and makes the kernel
// account for its processes.
func Open(root string) (*Group, error) {
	if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+cpu +memory +pids"), 0o644); err != nil {
		return nil, fmt.Errorf("cannot enable the controllers of cgroups in %s: %w", root, err)
	}
	directory := filepath.Join(root, name)
	if err := os.Mkdir(directory, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cannot create the cgroup of the commands: %w", err)
	}
	handle, err := os.Open(directory)
	if err != nil {
		return nil, fmt.Errorf("cannot open the cgroup of the commands: %w", err)
	}
	return &Group{directory: directory, handle: handle}, nil
}

// Suspend makes new commands start outside of the group, while the processes in
// it are frozen, or inside again.
func (g *Group) Suspend(suspended bool) { g.suspended.Store(suspended) }

// Fork starts a program in the group.
func (g *Group) Fork(program string, argv []string, attributes *syscall.ProcAttr) (int, error) {
	if g.suspended.Load() {
		return syscall.ForkExec(program, argv, attributes)
	}
	return g.forkInto(program, argv, attributes)
}

// Limit applies the limits. It refuses a memory limit below what the processes use
// after the kernel has reclaimed what it can, and changes nothing: such a limit
// would end processes.
func (g *Group) Limit(limits Limits) (Outcome, error) {
	if err := limits.check(); err != nil {
		return Outcome{}, err
	}
	g.mutex.Lock()
	defer g.mutex.Unlock()
	before, err := g.memoryMax()
	if err != nil {
		return Outcome{}, err
	}
	if limits.MemoryBytesMax < before {
		outcome, err := g.reclaim(limits.MemoryBytesMax)
		if err != nil || !outcome.Applied {
			return outcome, err
		}
	}
	quota := unlimited
	if limits.CPUPercentMax > 0 {
		quota = strconv.Itoa(limits.CPUPercentMax * cpuPeriodMicroseconds / 100)
	}
	for _, setting := range []struct{ file, text string }{
		{"memory.max", strconv.FormatInt(limits.MemoryBytesMax, 10)},
		{"memory.high", unlimited},
		{"pids.max", strconv.Itoa(limits.ProcessCountMax)},
		{"cpu.max", quota + " " + strconv.Itoa(cpuPeriodMicroseconds)},
	} {
		if err := g.write(setting.file, setting.text); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Applied: true}, nil
}

func (l Limits) check() error {
	if l.MemoryBytesMax < 1 || l.ProcessCountMax < 1 || l.CPUPercentMax < 0 {
		return wire.Errorf(wire.InvalidRequest, "memoryBytesMax and processCountMax must be positive and cpuPercentMax not negative, got %d, %d and %d", l.MemoryBytesMax, l.ProcessCountMax, l.CPUPercentMax)
	}
	return nil
}

// reclaim makes the kernel bring the group's memory below bytesMax: writing
// memory.high reclaims memory and, unlike memory.max, ends no process.
func (g *Group) reclaim(bytesMax int64) (Outcome, error) {
	if err := g.write("memory.high", strconv.FormatInt(bytesMax, 10)); err != nil {
		return Outcome{}, err
	}
	used, err := g.readNumber("memory.current")
	if err == nil && used <= bytesMax {
		return Outcome{Applied: true}, nil
	}
	if writeErr := g.write("memory.high", unlimited); err == nil {
		err = writeErr
	}
	return Outcome{MemoryUsedBytes: used}, err
}

// Usage returns what the processes of the group use, without caches that the
// kernel can drop.
func (g *Group) Usage() (Usage, error) {
	current, err := g.readNumber("memory.current")
	if err != nil {
		return Usage{}, err
	}
	text, err := os.ReadFile(filepath.Join(g.directory, "memory.stat"))
	if err != nil {
		return Usage{}, fmt.Errorf("cannot read the use of memory: %w", err)
	}
	used := current - reclaimableBytes(string(text))
	if used < 0 {
		used = 0
	}
	return Usage{MemoryUsedBytes: used}, nil
}

// reclaimableBytes sums up memory.stat: file pages, but not those of tmpfs, which
// the kernel counts as anonymous, and caches of the kernel.
func reclaimableBytes(stat string) int64 {
	total := int64(0)
	for _, line := range strings.Split(stat, "\n") {
		key, value, found := strings.Cut(line, " ")
		if !found || key != "inactive_file" && key != "active_file" && key != "slab_reclaimable" {
			continue
		}
		if bytes, err := strconv.ParseInt(value, 10, 64); err == nil {
			total += bytes
		}
	}
	return total
}

func (g *Group) memoryMax() (int64, error) {
	text, err := os.ReadFile(filepath.Join(g.directory, "memory.max"))
	if err != nil {
		return 0, fmt.Errorf("cannot read the memory limit: %w", err)
	}
	if strings.TrimSpace(string(text)) == unlimited {
		return 1<<63 - 1, nil
	}
	return g.readNumber("memory.max")
}

func (g *Group) readNumber(file string) (int64, error) {
	text, err := os.ReadFile(filepath.Join(g.directory, file))
	if err != nil {
		return 0, fmt.Errorf("cannot read %s of the commands' cgroup: %w", file, err)
	}
	number, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %s of the commands' cgroup: %w", file, err)
	}
	return number, nil
}

func (g *Group) write(file, text string) error {
	if err := os.WriteFile(filepath.Join(g.directory, file), []byte(text), 0o644); err != nil {
		return fmt.Errorf("cannot set %s of the commands' cgroup to %s: %w", file, text, err)
	}
	return nil
}
