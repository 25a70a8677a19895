package command

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"opencomputer/guest-agent/internal/limit"
)

func TestRestartStartsTheCommandAgainWithItsIDAndTheCurrentVariables(t *testing.T) {
	s := newSessionServer(t)
	path := filepath.Join(s.home, "started")
	script := `echo "$$ $OWN $SHARED" >> ` + path + `; echo up; exec sleep 600`
	request := shell(script)
	request.Environment = map[string]string{"OWN": "own"}
	must(t, s.environment.Configure(map[string]string{"SHARED": "before"}))
	began := s.begin(request)
	waitUntilUp(s.attachTo(began.ID))
	must(t, s.environment.Configure(map[string]string{"SHARED": "after"}))
	restart, err := s.sessions.BeginRestart([]string{began.ID})
	must(t, err)
	must(t, restart.Start())
	waitUntilUp(s.attachTo(began.ID))
	text, err := os.ReadFile(path)
	must(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], " own before") || !strings.HasSuffix(lines[1], " own after") {
		t.Fatalf("it was started as %q", lines)
	}
	first, err := strconv.Atoi(strings.Fields(lines[0])[0])
	must(t, err)
	if err := syscall.Kill(first, 0); err != syscall.ESRCH {
		t.Errorf("the first command is still there: %v", err)
	}
}

// waitUntilUp reads until the command reports that it is up.
func waitUntilUp(client attachment) {
	for {
		if kind, data := client.frame(); kind == frameStdout && data == "up\n" {
			return
		}
	}
}

func TestRestartStartsCommandsThatHaveEnded(t *testing.T) {
	s := newSessionServer(t)
	path := filepath.Join(s.home, "started")
	began := s.begin(shell("echo x >> " + path))
	s.attachTo(began.ID).exitCode()
	restart, err := s.sessions.BeginRestart([]string{began.ID})
	must(t, err)
	must(t, restart.Start())
	s.attachTo(began.ID).exitCode()
	if text, err := os.ReadFile(path); err != nil || string(text) != "x\nx\n" {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestRestartKillsNothingWhenOneCannotBeRestarted(t *testing.T) {
	s := newSessionServer(t)
	began := s.begin(shell("exec sleep 600"))
	many := make([]string, limit.RestartedSessionsMax+1)
	for name, ids := range map[string][]string{"unknown": {began.ID, "exec-none"}, "many": many} {
		if _, err := s.sessions.BeginRestart(ids); err == nil {
			t.Errorf("%s: there is no failure", name)
		}
	}
	var entry sessionEntry
	if s.call("GET", "/list?id="+began.ID, nil, &entry); !entry.Running {
		t.Error("it was killed")
	}
}
