package freezer

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const patience = 20 * time.Second

// newRoot creates a cgroup instead of the guest's root. Its processes end
// with the test.
func newRoot(t *testing.T) string {
	t.Helper()
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[2] != "cgroup2" {
			continue
		}
		root, err := os.MkdirTemp(fields[1], "opencomputer-test-")
		if err != nil {
			t.Skipf("needs a cgroup v2 that it may change: %v", err)
		}
		t.Cleanup(func() { removeTree(t, root) })
		return root
	}
	t.Skip("needs cgroup v2")
	return ""
}

func removeTree(t *testing.T, root string) {
	if err := write(root, "cgroup.kill", "1"); err != nil {
		t.Error(err)
	}
	groups, _ := filepath.Glob(root + "/*/cgroup.procs")
	for _, group := range append(groups, root+"/cgroup.procs") {
		eventually(t, "the cgroup can be removed", func() bool {
			return syscall.Rmdir(filepath.Dir(group)) == nil
		})
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// counter counts into a file, with a new child process for each number.
type counter struct {
	t    *testing.T
	id   int
	path string
}

func startCounter(t *testing.T, group string) counter {
	t.Helper()
	path := filepath.Join(t.TempDir(), "count")
	command := exec.Command("/bin/sh", "-c", `read start; n=0; while :; do n=$((n+1)); sleep 0.001; echo $n > `+path+`; done`)
	input, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	if err := write(group, "cgroup.procs", strconv.Itoa(command.Process.Pid)); err != nil {
		t.Fatal(err)
	}
	input.Write([]byte("\n"))
	started := counter{t, command.Process.Pid, path}
	started.expectToGoOn()
	return started
}

func (c counter) count() int {
	text, _ := os.ReadFile(c.path)
	count, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return count
}

func (c counter) expectToGoOn() {
	c.t.Helper()
	before := c.count()
	eventually(c.t, "it counts on", func() bool { return c.count() > before })
}

func (c counter) expectToStandStill() {
	c.t.Helper()
	before, _ := os.ReadFile(c.path)
	time.Sleep(100 * time.Millisecond)
	if after, _ := os.ReadFile(c.path); string(after) != string(before) {
		c.t.Errorf("it counted from %q to %q", before, after)
	}
}

func expectNoError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestProcessesAreFrozenUntilTheyAreThawed(t *testing.T) {
	root := newRoot(t)
	freezer := New(root)
	first := startCounter(t, root)
	expectNoError(t, freezer.Freeze())
	first.expectToStandStill()
	// Processes that start later run: the freezer's owner starts its own commands.
	second := startCounter(t, root)
	first.expectToStandStill()
	expectNoError(t, freezer.Freeze())
	second.expectToStandStill()
	expectNoError(t, freezer.Thaw())
	first.expectToGoOn()
	second.expectToGoOn()
	expectNoError(t, freezer.Freeze())
	first.expectToStandStill()
	expectNoError(t, freezer.Thaw())
	first.expectToGoOn()
}

func TestOtherCgroupsAreFrozenTooAndKeepTheStateThatTheirUserSet(t *testing.T) {
	root := newRoot(t)
	running, paused := filepath.Join(root, "running"), filepath.Join(root, "paused")
	for _, group := range []string{running, paused} {
		expectNoError(t, os.Mkdir(group, 0o755))
	}
	ofRunning, ofPaused := startCounter(t, running), startCounter(t, paused)
	expectNoError(t, write(paused, "cgroup.freeze", "1"))
	freezer := New(root)
	expectNoError(t, freezer.Freeze())
	ofRunning.expectToStandStill()
	expectNoError(t, freezer.Thaw())
	ofRunning.expectToGoOn()
	ofPaused.expectToStandStill()
}

func TestAfterAFailureEverythingIsThawed(t *testing.T) {
	root := newRoot(t)
	process := startCounter(t, root)
	// No process can be moved to a threaded cgroup.
	expectNoError(t, os.Mkdir(filepath.Join(root, groupName), 0o755))
	expectNoError(t, write(filepath.Join(root, groupName), "cgroup.type", "threaded"))
	if err := New(root).Freeze(); err == nil {
		t.Error("it reports no failure")
	}
	process.expectToGoOn()
}

func TestThawOfNothingIsNoError(t *testing.T) {
	expectNoError(t, New("/nowhere").Thaw())
}
