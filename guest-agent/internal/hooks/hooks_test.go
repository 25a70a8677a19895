package hooks

import (
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/command"
	"opencomputer/guest-agent/internal/environment"
	"opencomputer/guest-agent/internal/limit"
)

// newHooks creates a directory of scripts with the mode 0755, or 0644 for names
// that end in -x.
func newHooks(t *testing.T, scripts map[string]string) *Hooks {
	t.Helper()
	own, err := user.Current()
	if err != nil || own.Uid != "0" {
		t.Skip("only root can run hooks: run the test as root")
	}
	directory := t.TempDir()
	variables := filepath.Join(t.TempDir(), "environment")
	if err := os.WriteFile(variables, []byte("PATH=/usr/bin:/bin\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	store, err := environment.Open(variables, variables+".saved")
	if err != nil {
		t.Fatal(err)
	}
	protection, err := command.Protect(command.Scores{})
	if err != nil {
		t.Fatal(err)
	}
	runner, err := command.NewRunner(store, account.NewBook("/etc/passwd", "/etc/group"), own.Username, protection)
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range scripts {
		mode := os.FileMode(0o755)
		if strings.HasSuffix(name, "-x") {
			mode = 0o644
		}
		if err := os.WriteFile(filepath.Join(directory, name), []byte("#!/bin/sh\n"+script), mode); err != nil {
			t.Fatal(err)
		}
	}
	return New(directory, runner.Run)
}

func TestHooksRunInTheOrderOfTheirNamesWithTheirVariables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	line := `echo "$0 $OPENCOMPUTER_GENERATION $(id -u) $(pwd)" >> ` + path
	hooks := newHooks(t, map[string]string{"20-b": line, "10-a": line, "5-c": line, "15-x": line})
	if err := os.Mkdir(filepath.Join(hooks.directory, "12-directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	if failure := hooks.Run(context.Background(), map[string]string{"OPENCOMPUTER_GENERATION": "g"}); failure != "" {
		t.Fatal(failure)
	}
	text, err := os.ReadFile(path)
	want := fmt.Sprintf("%[1]s/10-a g 0 /\n%[1]s/20-b g 0 /\n%[1]s/5-c g 0 /\n", hooks.directory)
	if err != nil || string(text) != want {
		t.Errorf("got %q, %v; want %q", text, err, want)
	}
}

func TestHooksThatDoNotExistAreNoFailure(t *testing.T) {
	hooks := New(filepath.Join(t.TempDir(), "none"), nil)
	if hooks.Exist() || hooks.Run(context.Background(), nil) != "" {
		t.Error("there are some")
	}
}

func TestAFailedHookIsReportedAndThoseAfterItRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ran")
	hooks := newHooks(t, map[string]string{"1": "echo what is wrong; exit 3", "2": "touch " + path})
	if !hooks.Exist() {
		t.Error("there are none")
	}
	failure := hooks.Run(context.Background(), nil)
	if failure != "Hook 1 ended with exit code 3: what is wrong" {
		t.Errorf("got %q", failure)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

func TestHooksEndAtTheirDeadline(t *testing.T) {
	hooks := newHooks(t, map[string]string{"1": "sleep 600", "2": "exit 0"})
	hooks.timeout = 200 * time.Millisecond
	failure := hooks.Run(context.Background(), nil)
	if !strings.HasPrefix(failure, "Hook 1 was killed: all hooks together have 200ms\nHook 2 was not run: ") {
		t.Errorf("got %q", failure)
	}
}

func TestFailuresAreTextOfLimitedLength(t *testing.T) {
	scripts := map[string]string{}
	for number := 0; number < limit.ForkHooksMax+1; number++ {
		scripts[fmt.Sprintf("%03d", number)] = `printf '\303'; head -c 3000 /dev/zero | tr '\0' x; exit 1`
	}
	failure := newHooks(t, scripts).Run(context.Background(), nil)
	if !strings.Contains(failure, "has 65 hooks, of which the first 64 are run") || !strings.Contains(failure, "\uFFFDxxx") {
		t.Errorf("got %.300q", failure)
	}
	if len(failure) > limit.ForkHooksFailureBytesMax {
		t.Errorf("it has %d bytes", len(failure))
	}
}
