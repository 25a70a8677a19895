package command

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// isRunning reports whether the process whose number is in the file runs. A
// zombie does not.
func isRunning(t *testing.T, path string) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	status, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/stat")
	return err == nil && !strings.Contains(string(status), ") Z ")
}

func stop(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	must(t, err)
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	must(t, err)
	must(t, syscall.Kill(id, syscall.SIGKILL))
}

func TestRunKillsTheProcessGroupAfterItsTimeoutAndNothingElse(t *testing.T) {
	s := newSandbox(t)
	inGroup, ownSession := filepath.Join(s.home, "in-group"), filepath.Join(s.home, "own-session")
	request := script(`
		echo before
		sleep 600 & echo $! > in-group
		setsid sh -c 'echo $$ > own-session; exec sleep 600' &
		while [ ! -s own-session ]; do sleep 0.01; done
		touch ready; wait`)
	other := make(chan runResponse)
	go func() { other <- s.run(script("while [ ! -e finish ]; do sleep 0.01; done; echo unharmed")) }()
	request.TimeoutMilliseconds = 4000
	got := s.run(request)
	if want := (runResponse{ExitCode: -1, Stdout: "before\n", Stderr: "\nProcess timed out"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s.eventually("the process of the group is killed", func() bool { return !isRunning(t, inGroup) })
	if !isRunning(t, ownSession) {
		t.Error("a process outside the group was killed too")
	}
	stop(t, ownSession)
	must(t, os.WriteFile(filepath.Join(s.home, "finish"), nil, 0o644))
	if got := <-other; got.Stdout != "unharmed\n" {
		t.Errorf("another command was harmed: %+v", got)
	}
}

func TestRunKillsTheProcessGroupWhenTheClientDisconnects(t *testing.T) {
	s := newSandbox(t)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		s.eventually("the command runs", func() bool { return exists(filepath.Join(s.home, "ready")) })
		cancel()
	}()
	got := s.runUntil(ctx, script("sleep 600 & echo $! > child; touch ready; wait"))
	if got.ExitCode != 128+9 {
		t.Errorf("got exit code %d, want 137", got.ExitCode)
	}
	s.eventually("the child is killed", func() bool { return !isRunning(t, filepath.Join(s.home, "child")) })
}

func TestRunReturnsThoughABackgroundProcessHoldsTheOutput(t *testing.T) {
	s := newSandbox(t)
	got := s.run(script(`
		(while [ ! -e go ]; do sleep 0.01; done; echo late; echo late >&2; touch survived) &
		echo $! > child; echo early`))
	if want := (runResponse{Stdout: "early\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if s.held.count() != 2 {
		t.Errorf("%d pipes are held, want stdout and stderr", s.held.count())
	}
	must(t, os.WriteFile(filepath.Join(s.home, "go"), nil, 0o644))
	s.eventually("the background process writes and lives on", func() bool { return exists(filepath.Join(s.home, "survived")) })
	s.eventually("its pipes are let go", func() bool { return s.held.count() == 0 })
}

func TestRunReturnsThoughABackgroundProcessNeverStopsWriting(t *testing.T) {
	s := newSandbox(t)
	got := s.run(script("yes & echo $! > child; echo done >&2"))
	if got.Stderr != "done\n" {
		t.Errorf("got stderr %q", got.Stderr)
	}
	stop(t, filepath.Join(s.home, "child"))
}

func TestHeldPipesCloseTheOldestOverTheLimit(t *testing.T) {
	held := &heldPipes{countMax: 1}
	var writers [2]*os.File
	for index := range writers {
		reader, writer, err := os.Pipe()
		must(t, err)
		defer writer.Close()
		held.keep(reader)
		writers[index] = writer
	}
	if _, err := writers[0].Write([]byte("x")); err == nil {
		t.Error("the oldest pipe still takes output")
	}
	if _, err := writers[1].Write([]byte("x")); err != nil {
		t.Errorf("the newest pipe is closed: %v", err)
	}
}
