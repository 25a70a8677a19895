package group

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeGroup is a directory with the files of a cgroup, but without the kernel.
func fakeGroup(t *testing.T, files map[string]string) *Group {
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	g, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func read(t *testing.T, g *Group, file string) string {
	text, err := os.ReadFile(filepath.Join(g.directory, file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestLimitSetsAllThree(t *testing.T) {
	g := fakeGroup(t, map[string]string{"sandbox/memory.max": "max\n", "sandbox/memory.current": "1000\n"})
	outcome, err := g.Limit(Limits{MemoryBytesMax: 4096, ProcessCountMax: 99, CPUPercentMax: 150})
	if err != nil || !outcome.Applied {
		t.Fatalf("got %+v, %v", outcome, err)
	}
	for file, want := range map[string]string{
		"memory.max": "4096", "memory.high": "max", "pids.max": "99", "cpu.max": "150000 100000",
	} {
		if got := read(t, g, file); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
}

func TestLimitWithoutACPULimit(t *testing.T) {
	g := fakeGroup(t, map[string]string{"sandbox/memory.max": "10\n"})
	if _, err := g.Limit(Limits{MemoryBytesMax: 4096, ProcessCountMax: 99}); err != nil {
		t.Fatal(err)
	}
	if got := read(t, g, "cpu.max"); got != "max 100000" {
		t.Errorf("cpu.max is %q", got)
	}
}

func TestLimitBelowTheUsageChangesNothing(t *testing.T) {
	g := fakeGroup(t, map[string]string{"sandbox/memory.max": "9000\n", "sandbox/memory.current": "5000\n"})
	outcome, err := g.Limit(Limits{MemoryBytesMax: 4096, ProcessCountMax: 99})
	if err != nil || outcome.Applied || outcome.MemoryUsedBytes != 5000 {
		t.Fatalf("got %+v, %v", outcome, err)
	}
	if got := read(t, g, "memory.max"); got != "9000" {
		t.Errorf("memory.max is %q", got)
	}
	if got := read(t, g, "memory.high"); got != "max" {
		t.Errorf("memory.high is %q", got)
	}
}

func TestLimitRefusesInvalidLimits(t *testing.T) {
	g := fakeGroup(t, nil)
	for _, limits := range []Limits{{ProcessCountMax: 1}, {MemoryBytesMax: 1}, {MemoryBytesMax: 1, ProcessCountMax: 1, CPUPercentMax: -1}} {
		if _, err := g.Limit(limits); err == nil {
			t.Errorf("%+v was accepted", limits)
		}
	}
}

func TestUsageLeavesOutWhatTheKernelCanDrop(t *testing.T) {
	g := fakeGroup(t, map[string]string{
		"sandbox/memory.current": "1000\n",
		"sandbox/memory.stat":    "anon 500\nfile 300\nshmem 100\ninactive_file 120\nactive_file 80\nslab_reclaimable 50\n",
	})
	usage, err := g.Usage()
	if err != nil || usage.MemoryUsedBytes != 750 {
		t.Errorf("got %+v, %v", usage, err)
	}
}
