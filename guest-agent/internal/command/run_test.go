package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

func TestRunReturnsExitCodeAndSeparateStreams(t *testing.T) {
	got := newSandbox(t).run(script("echo out; echo err >&2; exit 7"))
	if want := (runResponse{ExitCode: 7, Stdout: "out\n", Stderr: "err\n"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestRunReturns128PlusTheSignalThatEndedTheCommand(t *testing.T) {
	if got := newSandbox(t).run(script("kill -TERM $$")); got.ExitCode != 128+15 {
		t.Errorf("got exit code %d, want 143", got.ExitCode)
	}
}

func TestRunPassesAnArgvUnchanged(t *testing.T) {
	request := script("")
	request.Command = []string{"printf", "%s|", "a b", "$HOME", "*"}
	if got := newSandbox(t).run(request); got.Stdout != "a b|$HOME|*|" {
		t.Errorf("got %q", got.Stdout)
	}
}

func TestRunRunsAsTheSandboxUserWithItsGroups(t *testing.T) {
	s := newSandbox(t)
	request := script(`echo "$(id -u):$(id -g):$(id -G):$HOME:$USER"; pwd`)
	if got, want := s.run(request).Stdout, "1000:1000:1000 4321:"+s.home+":sandbox\n"+s.home+"\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRunAsRootHasNoOtherGroups(t *testing.T) {
	request := script(`echo "$(id -u):$(id -G):$HOME:$USER"`)
	request.AsRoot = true
	if got := newSandbox(t).run(request).Stdout; got != "0:0:/root:root\n" {
		t.Errorf("got %q", got)
	}
}

func TestRunPrefersVariablesOfTheCommandToConfiguredOnesToTheImages(t *testing.T) {
	s := newSandbox(t)
	show := script(`echo "$LAYER $CONFIGURED"`)
	if got := s.run(show).Stdout; got != "image \n" {
		t.Errorf("image only: got %q", got)
	}
	must(t, s.environment.Configure(map[string]string{"LAYER": "configured", "CONFIGURED": "yes"}))
	if got := s.run(show).Stdout; got != "configured yes\n" {
		t.Errorf("configured: got %q", got)
	}
	show.Environment = map[string]string{"LAYER": "command"}
	if got := s.run(show).Stdout; got != "command yes\n" {
		t.Errorf("command: got %q", got)
	}
}

func TestRunHasNoInput(t *testing.T) {
	if got := newSandbox(t).run(script("cat; echo end")); got.Stdout != "end\n" {
		t.Errorf("got %q", got.Stdout)
	}
}

func TestRunStartsInTheWorkingDirectory(t *testing.T) {
	s := newSandbox(t)
	below := filepath.Join(s.home, "below")
	must(t, os.Mkdir(below, 0o755))
	for _, directory := range []string{below, "below"} {
		request := script("pwd")
		request.WorkingDirectory = &directory
		if got := s.run(request).Stdout; got != below+"\n" {
			t.Errorf("%s: got %q, want %q", directory, got, below)
		}
	}
}

func TestRunRefusesAnInvalidWorkingDirectory(t *testing.T) {
	s := newSandbox(t)
	file := filepath.Join(s.home, "file")
	must(t, os.WriteFile(file, nil, 0o644))
	for _, directory := range []string{"/no/such/directory", file} {
		request := script("pwd")
		request.WorkingDirectory = &directory
		requireCode(t, directory, s.refuse(request), wire.WorkingDirectoryNotFound)
	}
}

func TestRunRefusesAProgramThatCannotBeRun(t *testing.T) {
	s := newSandbox(t)
	plain, orphan := filepath.Join(s.home, "plain"), filepath.Join(s.home, "orphan")
	must(t, os.WriteFile(plain, []byte("text"), 0o644))
	must(t, os.WriteFile(orphan, []byte("#!/no/such/interpreter\n"), 0o755))
	for _, program := range []string{"no-such-program", "/no/such/program", "./no-such-program", plain, orphan, s.home} {
		request := script("")
		request.Command = []string{program}
		requireCode(t, program, s.refuse(request), wire.CommandNotFound)
	}
	hidden := filepath.Join(t.TempDir(), "hidden")
	must(t, os.WriteFile(hidden, []byte("#!/bin/sh\n"), 0o700))
	request := script("")
	request.Command = []string{hidden}
	requireCode(t, "a program that the user may not reach", s.refuse(request), wire.CommandNotFound)
}

func TestRunInTheShellLeavesNotFoundToTheShell(t *testing.T) {
	got := newSandbox(t).run(script("no-such-program"))
	if got.ExitCode != 127 || !strings.Contains(got.Stderr, "no-such-program: command not found") {
		t.Errorf("got %+v", got)
	}
}

func TestRunGivesAScriptWithoutInterpreterToTheShell(t *testing.T) {
	s := newSandbox(t)
	path := filepath.Join(s.home, "bare")
	must(t, os.WriteFile(path, []byte("echo bare $1\n"), 0o755))
	request := script("")
	request.Command = []string{path, "argument"}
	if got := s.run(request).Stdout; got != "bare argument\n" {
		t.Errorf("got %q", got)
	}
}

func TestRunRefusesMoreCommandsThanTheLimit(t *testing.T) {
	s := newSandbox(t)
	s.slots = make(chan struct{}, 1)
	s.slots <- struct{}{}
	requireCode(t, "full", s.refuse(script("true")), wire.TooManyRequests)
	<-s.slots
	if got := s.run(script("echo room")).Stdout; got != "room\n" {
		t.Errorf("got %q", got)
	}
}

func TestRunDoesNotPassTheAgentsProtectionOn(t *testing.T) {
	s := newSandbox(t)
	if got := s.run(script("cat /proc/self/oom_score_adj")).Stdout; got != "700\n" {
		t.Errorf("the command has the score %q, want 700", got)
	}
	own, err := os.ReadFile("/proc/self/oom_score_adj")
	must(t, err)
	if string(own) != "300\n" {
		t.Errorf("the agent has the score %q, want 300", own)
	}
}

func TestRunLeavesNoDescriptorOpen(t *testing.T) {
	s := newSandbox(t)
	s.run(script("true"))
	before := openDescriptors(t)
	for round := 0; round < 20; round++ {
		s.run(script("echo out; echo err >&2"))
		request := script("")
		request.Command = []string{"no-such-program"}
		s.refuse(request)
	}
	s.eventually("every descriptor is closed", func() bool { return openDescriptors(t) <= before })
}

func openDescriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

func TestRunLimitsAllVariablesTogetherAndLeavesRoomForArguments(t *testing.T) {
	s := newSandbox(t)
	variables := func(prefix string, count int) map[string]string {
		made := map[string]string{}
		for index := 0; index < count; index++ {
			name := fmt.Sprintf("%s%03d", prefix, index)
			made[name] = strings.Repeat("x", 16*1024-len(name)-len("=\x00"))
		}
		return made
	}
	must(t, s.environment.Configure(variables("S", 32)))
	request := script("echo ran")
	request.Environment = variables("C", 32)
	for round := 0; round < 7; round++ {
		request.Command = append(request.Command, strings.Repeat("a", limit.ArgumentBytesMax))
	}
	if got := s.run(request).Stdout; got != "ran\n" {
		t.Errorf("with variables of %d bytes and arguments of 7 times 128 KiB: got %q", limit.EnvironmentBytesTotalMax, got)
	}
	request.Environment = variables("C", 34)
	_, err := s.Run(context.Background(), request)
	var refusal *wire.Error
	if !errors.As(err, &refusal) || refusal.Code != wire.LimitExceeded || !strings.Contains(refusal.Message, "at most 1048576 bytes") {
		t.Errorf("got %v, want limit_exceeded that names the limit", err)
	}
}
