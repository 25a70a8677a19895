package generation

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strconv"
	"syscall"
	"testing"
	"time"
)

const (
	catching    = "Name:\tx\nSigIgn:\t0000000000000000\nSigCgt:\t4000000000000000\nCapInh:\t0\n"
	notCatching = "Name:\tx\nSigIgn:\t4000000000000000\nSigCgt:\t0000000100000002\nCapInh:\t0\n"
)

// newProcesses creates a procfs in which each process has a program and a status.
func newProcesses(t *testing.T, processes map[string][2]string) string {
	proc := t.TempDir()
	for name, process := range processes {
		directory := filepath.Join(proc, name)
		if err := os.Mkdir(directory, 0o755); err != nil {
			t.Fatal(err)
		}
		if process[0] != "" {
			if err := os.Symlink(process[0], filepath.Join(directory, "exe")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(directory, "status"), []byte(process[1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return proc
}

type fakePauser struct {
	frozen  bool
	failure error
	calls   []string
}

func (p *fakePauser) IsFrozen() bool { return p.frozen }
func (p *fakePauser) Freeze() error  { p.calls = append(p.calls, "freeze"); return p.failure }
func (p *fakePauser) Thaw() error    { p.calls = append(p.calls, "thaw"); return nil }

func TestFindListeningReturnsPythonsThatCatchTheSignalAndNothingElse(t *testing.T) {
	proc := newProcesses(t, map[string][2]string{
		"1":    {"/usr/bin/python3.11", catching},
		"20":   {"/usr/bin/python3.11", catching},
		"21":   {"/usr/bin/python3.11", notCatching},
		"22":   {"/usr/bin/java", catching},
		"23":   {"", catching},
		"24":   {"/usr/bin/python3.11", "Name:\tx\n"},
		"self": {"/usr/bin/python3.11", catching},
	})
	found, err := findListening(proc)
	if err != nil || !reflect.DeepEqual(found, []int{20}) {
		t.Errorf("got %v, %v", found, err)
	}
}

func TestNotifyFreezesNothingWithoutListeningProcesses(t *testing.T) {
	pauser := &fakePauser{}
	proc := newProcesses(t, map[string][2]string{"20": {"/usr/bin/python3", notCatching}})
	if err := Notify(proc, pauser); err != nil || pauser.calls != nil {
		t.Errorf("got %v, %v", pauser.calls, err)
	}
}

func TestNotifySignalsNoProcessThatIsNotFrozen(t *testing.T) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, renewSignal)
	defer signal.Stop(received)
	pauser := &fakePauser{failure: errors.New("it is not frozen")}
	own := strconv.Itoa(os.Getpid())
	if err := Notify(newProcesses(t, map[string][2]string{own: {"/usr/bin/python3", catching}}), pauser); err == nil {
		t.Error("there is no failure")
	}
	select {
	case <-received:
		t.Error("it was signalled")
	case <-time.After(50 * time.Millisecond):
	}
}

func TestNotifySignalsWhileAllAreFrozen(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		received := make(chan os.Signal, 1)
		signal.Notify(received, renewSignal)
		pauser := &fakePauser{frozen: frozen}
		own := strconv.Itoa(os.Getpid())
		if err := Notify(newProcesses(t, map[string][2]string{own: {"/usr/bin/python3", catching}}), pauser); err != nil {
			t.Fatal(err)
		}
		select {
		case <-received:
		case <-time.After(10 * time.Second):
			t.Error("nothing was received")
		}
		signal.Stop(received)
		want := fmt.Sprint([]string{"freeze", "thaw"})
		if frozen {
			want = fmt.Sprint([]string(nil))
		}
		if got := fmt.Sprint(pauser.calls); got != want {
			t.Errorf("frozen %t: got %s, want %s", frozen, got, want)
		}
	}
}

func TestFindListeningReadsTheKernelsProcesses(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("the machine has no python3")
	}
	script := "import signal,sys; signal.signal(63, lambda *a: None); print('ready', flush=True); sys.stdin.read()"
	process := exec.Command(python, "-c", script)
	input, _ := process.StdinPipe()
	output, _ := process.StdoutPipe()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	defer process.Wait()
	defer input.Close()
	if _, err := output.Read(make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	found, err := findListening("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range found {
		if id == process.Process.Pid {
			if err := syscall.Kill(id, 0); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("%d is not among %v", process.Process.Pid, found)
}
