package command

import (
	"fmt"
	"io"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/terminal"
	"opencomputer/guest-agent/internal/wire"
)

// terminalServer serves the routes of terminals.
type terminalServer struct {
	sessionServer
	terminals *Terminals
}

func newTerminalServer(t *testing.T) terminalServer {
	t.Helper()
	s := newSandbox(t)
	terminals := NewTerminals(NewSessions(s.Runner))
	routes := map[string]func(http.ResponseWriter, *http.Request) error{
		"POST /start": terminals.Start, "GET /list": terminals.List, "POST /resize": terminals.Resize,
		"POST /input": terminals.Input, "GET /output": terminals.Output, "POST /hang-up": terminals.HangUp,
	}
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if err := routes[request.Method+" "+request.URL.Path](response, request); err != nil {
			wire.WriteError(response, err)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		for _, s := range append([]*session(nil), terminals.sessions.started...) {
			s.hangUp()
		}
	})
	return terminalServer{sessionServer{sandbox: s, sessions: terminals.sessions, url: server.URL}, terminals}
}

func (s terminalServer) open(shell string) terminalEntry {
	s.t.Helper()
	var entry terminalEntry
	wanted := TerminalRequest{Size: terminal.Size{Columns: 80, Rows: 24}, Shell: shell}
	if status := s.call("POST", "/start", wanted, &entry); status != 200 {
		s.t.Fatalf("the start returned %d", status)
	}
	return entry
}

func (s terminalServer) sendKeys(id, keys string) {
	s.t.Helper()
	var nothing struct{}
	if status := s.call("POST", "/input?id="+id, keys, &nothing); status != 200 {
		s.t.Fatalf("the input returned %d", status)
	}
}

// shows reads the terminal's output until the text appears.
func (a attachment) shows(text string) string {
	a.t.Helper()
	shown := ""
	patience := time.AfterFunc(20*time.Second, func() {
		a.t.Errorf("not shown: %q", text)
		a.body.Close()
	})
	defer patience.Stop()
	for !strings.Contains(shown, text) {
		kind, bytes := a.frame()
		if kind == frameExit {
			a.t.Fatalf("the terminal ended; it showed %q", shown)
		}
		shown += bytes
	}
	return shown
}

func TestATerminalIsALoginShellOfTheUserWithJobControl(t *testing.T) {
	s := newTerminalServer(t)
	must(t, s.environment.Configure(map[string]string{"SECRET": "osb_sealed_x"}))
	entry := s.open("")
	if !strings.HasPrefix(entry.ID, "pty-") || entry.Shell != "/bin/bash" || !entry.Running || entry.Columns != 80 || entry.Rows != 24 {
		t.Errorf("got %+v", entry)
	}
	client := s.attachTo(entry.ID)
	s.sendKeys(entry.ID, "shopt -q login_shell && echo \"login:$TERM:$SHELL:$SECRET:$USER:$PWD:e\"nd\n")
	shown := client.shows(":end")
	if !strings.Contains(shown, "login:xterm-256color:/bin/bash:osb_sealed_x:sandbox:"+s.home+":") {
		t.Errorf("shown %q", shown)
	}
	s.sendKeys(entry.ID, "tty; stty size; sleep 1000; echo after:$?\n")
	client.shows("24 80")
	s.eventually("the command runs", func() bool { return s.run(script("pgrep -x -f 'sleep 1000'")).ExitCode == 0 })
	s.sendKeys(entry.ID, "\x1a")
	client.shows("Stopped")
	s.sendKeys(entry.ID, "fg\n")
	client.shows("sleep 1000")
	s.sendKeys(entry.ID, "\x03")
	s.sendKeys(entry.ID, "echo code:$((40+2))\n")
	client.shows("code:42")
	s.sendKeys(entry.ID, "exit 7\n")
	if code := client.exitCode(); code != 7 {
		t.Errorf("got exit code %d", code)
	}
	var ended terminalEntry
	if s.call("GET", "/list?id="+entry.ID, nil, &ended); ended.Running || ended.ExitCode == nil || *ended.ExitCode != 7 {
		t.Errorf("afterwards it is %+v", ended)
	}
}

func TestResizeIsSignalledToTheForeground(t *testing.T) {
	s := newTerminalServer(t)
	entry := s.open("sh")
	client := s.attachTo(entry.ID)
	s.sendKeys(entry.ID, "sh -c 'trap \"stty size\" WINCH; echo rea\"\"dy; while :; do sleep 0.05; done'\n")
	client.shows("ready")
	var nothing struct{}
	for _, size := range []terminal.Size{{Columns: 100, Rows: 30}, {Columns: 100, Rows: 30}, {Columns: 1, Rows: 1000}} {
		if status := s.call("POST", "/resize?id="+entry.ID, size, &nothing); status != 200 {
			t.Fatalf("resize returned %d", status)
		}
		client.shows(fmt.Sprintf("%d %d", size.Rows, size.Columns))
	}
	for _, size := range []terminal.Size{{Columns: 0, Rows: 30}, {Columns: 100, Rows: 10_000}} {
		var refusal struct{ Error, Code string }
		if status := s.call("POST", "/resize?id="+entry.ID, size, &refusal); status != 400 || !strings.Contains(refusal.Error, "from 1 to 1000") {
			t.Errorf("got %d %+v", status, refusal)
		}
	}
}

func TestAShellThatDoesNotExistIsCommandNotFound(t *testing.T) {
	s := newTerminalServer(t)
	for _, shell := range []string{"no-such-shell", "/no/such/shell", "/etc/passwd"} {
		var refusal struct{ Error, Code string }
		wanted := TerminalRequest{Size: terminal.Size{Columns: 80, Rows: 24}, Shell: shell}
		if status := s.call("POST", "/start", wanted, &refusal); status != 400 || refusal.Code != "command_not_found" {
			t.Errorf("%s: got %d %+v", shell, status, refusal)
		}
	}
	var left []terminalEntry
	if s.call("GET", "/list", nil, &left); len(left) != 0 {
		t.Errorf("left behind: %+v", left)
	}
}

func TestALostClientLeavesTheTerminalAndTheNextGetsTheLastOutput(t *testing.T) {
	s := newTerminalServer(t)
	entry := s.open("sh")
	first := s.attachTo(entry.ID)
	s.sendKeys(entry.ID, "echo be''fore\n")
	first.shows("before")
	first.cancel()
	s.sendKeys(entry.ID, "seq 100000; echo la''st; touch done\n")
	s.eventually("all was printed", func() bool { return exists(filepath.Join(s.home, "done")) })
	second := s.attachTo(entry.ID)
	shown := second.shows("last")
	if len(shown) > limit.TerminalReplayBytesMax {
		t.Errorf("%d bytes were shown", len(shown))
	}
	s.sendKeys(entry.ID, "echo on''ward\n")
	second.shows("onward")
}

func TestAStalledClientStopsTheProgramAndHangUpEndsIt(t *testing.T) {
	s := newTerminalServer(t)
	entry := s.open("")
	client := s.attachTo(entry.ID)
	s.sendKeys(entry.ID, "yes\n")
	found := s.sessions.byID[entry.ID]
	last := uint64(0)
	s.eventually("yes waits", func() bool {
		found.transcript.mutex.Lock()
		defer found.transcript.mutex.Unlock()
		isStill := found.transcript.end > 0 && found.transcript.end == last
		last = found.transcript.end
		return isStill
	})
	var nothing struct{}
	if status := s.call("POST", "/hang-up?id="+entry.ID, nil, &nothing); status != 200 {
		t.Errorf("hang-up returned %d", status)
	}
	if code := client.exitCode(); code != 128+1 {
		t.Errorf("got exit code %d, want 129", code)
	}
	var refusal struct{ Code string }
	if status := s.call("GET", "/list?id="+entry.ID, nil, &refusal); status != 404 || refusal.Code != "session_not_found" {
		t.Errorf("afterwards got %d %+v", status, refusal)
	}
	// The new parent of yes may take a while to reap it.
	s.eventually("yes has ended", func() bool {
		return s.run(script("ps -C yes -o stat= | grep -qv Z")).ExitCode != 0
	})
}

func TestTheLastOutputOfAShellIsKeptWhileAJobHoldsTheTerminal(t *testing.T) {
	s := newTerminalServer(t)
	entry := s.open("")
	client := s.attachTo(entry.ID)
	s.sendKeys(entry.ID, "(trap '' HUP; exec sleep 3) & disown; seq 2000; exit 3\n")
	shown, _ := client.until(frameExit)
	if !strings.Contains(shown, "\n2000\r\n") {
		t.Errorf("the end is missing: %q", shown[len(shown)-100:])
	}
}

func TestMoreTerminalsThanTheLimitAreRefused(t *testing.T) {
	s := newTerminalServer(t)
	s.sessions.runningMax = 2
	first := s.open("sh")
	s.open("sh")
	var refusal struct{ Error, Code string }
	wanted := TerminalRequest{Size: terminal.Size{Columns: 80, Rows: 24}}
	if status := s.call("POST", "/start", wanted, &refusal); status != 429 {
		t.Errorf("got %d %+v", status, refusal)
	}
	var nothing struct{}
	s.call("POST", "/hang-up?id="+first.ID, nil, &nothing)
	s.open("sh")
}

func TestBodiesOfAnyShapeAreRefusedOrServed(t *testing.T) {
	s := newTerminalServer(t)
	random := rand.New(rand.NewSource(7))
	pieces := []string{`{`, `}`, `"columns"`, `:`, `,`, `80`, `-1`, `1e9`, `"rows"`, `24`, `"shell"`, `"sh\u0000"`, `null`, `[`, `]`, "\xff"}
	for round := 0; round < 300; round++ {
		var body strings.Builder
		for count := random.Intn(12); count >= 0; count-- {
			body.WriteString(pieces[random.Intn(len(pieces))])
		}
		response, err := http.Post(s.url+"/start", "application/json", strings.NewReader(body.String()))
		must(t, err)
		text, err := io.ReadAll(response.Body)
		must(t, err)
		response.Body.Close()
		if response.StatusCode >= 500 {
			t.Fatalf("%q: %d %s", body.String(), response.StatusCode, text)
		}
	}
}
