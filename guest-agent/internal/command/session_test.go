package command

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// sessionServer serves the sessions' routes.
type sessionServer struct {
	sandbox
	sessions *Sessions
	url      string
}

func newSessionServer(t *testing.T) sessionServer {
	t.Helper()
	s := newSandbox(t)
	sessions := NewSessions(s.Runner)
	routes := map[string]func(http.ResponseWriter, *http.Request) error{
		"POST /start": sessions.Start, "GET /list": sessions.List, "POST /kill": sessions.Kill,
		"POST /input": sessions.Input, "GET /output": sessions.Output, "GET /result": sessions.Result,
	}
	server := httptest.NewServer(http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		if err := routes[request.Method+" "+request.URL.Path](response, request); err != nil {
			wire.WriteError(response, err)
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		for _, session := range sessions.started {
			must(t, session.signal(9))
			<-session.done
		}
	})
	return sessionServer{sandbox: s, sessions: sessions, url: server.URL}
}

func shell(script string) *SessionRequest {
	return &SessionRequest{Request: Request{Command: []string{script}}, Shell: true, Input: true}
}

// call sends a request and parses its JSON response.
func (s sessionServer) call(method, path string, body any, result any) int {
	s.t.Helper()
	text, isText := body.(string)
	if !isText && body != nil {
		marshalled, err := json.Marshal(body)
		must(s.t, err)
		text = string(marshalled)
	}
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(text))
	must(s.t, err)
	response, err := http.DefaultClient.Do(request)
	must(s.t, err)
	defer response.Body.Close()
	must(s.t, json.NewDecoder(response.Body).Decode(result))
	return response.StatusCode
}

func (s sessionServer) begin(request *SessionRequest) sessionEntry {
	s.t.Helper()
	var entry sessionEntry
	if status := s.call("POST", "/start", request, &entry); status != 200 {
		s.t.Fatalf("the start got status %d", status)
	}
	return entry
}

// attachment is one attached client.
type attachment struct {
	t      *testing.T
	body   io.ReadCloser
	cancel context.CancelFunc
}

func (s sessionServer) attachTo(id string) attachment {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, "GET", s.url+"/output?id="+id, nil)
	must(s.t, err)
	response, err := http.DefaultClient.Do(request)
	must(s.t, err)
	if response.StatusCode != 200 {
		s.t.Fatalf("attaching got status %d", response.StatusCode)
	}
	s.t.Cleanup(func() { response.Body.Close(); cancel() })
	return attachment{t: s.t, body: response.Body, cancel: cancel}
}

func (a attachment) frame() (frameType, string) {
	a.t.Helper()
	head := make([]byte, frameHeadBytes)
	_, err := io.ReadFull(a.body, head)
	must(a.t, err)
	data := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err = io.ReadFull(a.body, data)
	must(a.t, err)
	return frameType(head[0]), string(data)
}

// until reads frames up to one of that type and returns the output before it.
func (a attachment) until(wanted frameType) (said, last string) {
	a.t.Helper()
	for {
		kind, data := a.frame()
		if kind == wanted {
			return said, data
		}
		said += fmt.Sprintf("%d:%s ", kind, data)
	}
}

func (a attachment) exitCode() int {
	a.t.Helper()
	_, data := a.until(frameExit)
	return int(int32(binary.BigEndian.Uint32([]byte(data))))
}

type resultResponse struct {
	Running        bool
	ExitCode       *int
	Stdout, Stderr string
	Truncated      bool
}

func (s sessionServer) result(id, more string) resultResponse {
	s.t.Helper()
	for {
		var got resultResponse
		if status := s.call("GET", "/result?waitMilliseconds=1000&id="+id+more, nil, &got); status != 200 {
			s.t.Fatalf("the result got status %d", status)
		}
		if !got.Running {
			return got
		}
	}
}

func TestSessionStreamsBothWaysToItsEnd(t *testing.T) {
	s := newSessionServer(t)
	entry := s.begin(shell("while read -r line; do echo got $line; done; echo bye >&2; exit 7"))
	client := s.attachTo(entry.ID)
	client.until(frameReplayEnd)
	reader, writer := io.Pipe()
	posted := make(chan int)
	go func() {
		response, err := http.Post(s.url+"/input?id="+entry.ID, "application/byte-stream", reader)
		if err != nil {
			posted <- 0
			return
		}
		response.Body.Close()
		posted <- response.StatusCode
	}()
	for _, line := range []string{"one", "two"} {
		fmt.Fprintln(writer, line)
		if kind, data := client.frame(); kind != frameStdout || data != "got "+line+"\n" {
			t.Errorf("got %d %q", kind, data)
		}
	}
	writer.Close()
	if status := <-posted; status != 200 {
		t.Errorf("the input got status %d", status)
	}
	if kind, data := client.frame(); kind != frameStderr || data != "bye\n" {
		t.Errorf("got %d %q", kind, data)
	}
	if code := client.exitCode(); code != 7 {
		t.Errorf("got exit code %d", code)
	}
	if said, _ := s.attachTo(entry.ID).until(frameReplayEnd); said != "1:got one\ngot two\n 2:bye\n " {
		t.Errorf("afterwards the replay is %q", said)
	}
}

func TestSessionInputStaysOpenAfterAnIncompleteBody(t *testing.T) {
	s := newSessionServer(t)
	entry := s.begin(shell("read -r one; touch got; read -r two; echo $one $two"))
	reader, writer := io.Pipe()
	gone := make(chan error)
	go func() {
		_, err := http.Post(s.url+"/input?id="+entry.ID, "application/byte-stream", reader)
		gone <- err
	}()
	fmt.Fprintln(writer, "first")
	s.eventually("the first line has come", func() bool { return exists(filepath.Join(s.home, "got")) })
	writer.CloseWithError(io.ErrUnexpectedEOF)
	if err := <-gone; err == nil {
		t.Error("the input did not break off")
	}
	var ignored struct{}
	s.call("POST", "/input?id="+entry.ID, "second\n", &ignored)
	if got := s.result(entry.ID, ""); got.Stdout != "first second\n" || *got.ExitCode != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestSessionInputThatNobodyReadsIsDropped(t *testing.T) {
	s := newSessionServer(t)
	entry := s.begin(shell("exec 0<&-; touch closed; while [ ! -e go ]; do sleep 0.01; done"))
	s.eventually("the input is closed", func() bool { return exists(filepath.Join(s.home, "closed")) })
	var ignored struct{}
	if status := s.call("POST", "/input?id="+entry.ID, strings.Repeat("x", 1<<20), &ignored); status != 200 {
		t.Errorf("got %d", status)
	}
}

func TestSessionEndsThoughABackgroundProcessHoldsItsOutput(t *testing.T) {
	s := newSessionServer(t)
	entry := s.begin(shell("sleep 600 & echo $! > child; echo early"))
	client := s.attachTo(entry.ID)
	if code := client.exitCode(); code != 0 {
		t.Errorf("got exit code %d", code)
	}
	stop(t, filepath.Join(s.home, "child"))
}

func TestSessionKillSignalsTheGroupAndIsNoErrorAfterTheEnd(t *testing.T) {
	s := newSessionServer(t)
	entry := s.begin(shell("trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.01; done"))
	client := s.attachTo(entry.ID)
	for kind, data := client.frame(); kind != frameStdout || data != "ready\n"; kind, data = client.frame() {
	}
	var ignored struct{}
	for round := 0; round < 2; round++ {
		if status := s.call("POST", "/kill?signal=15&id="+entry.ID, nil, &ignored); status != 200 {
			t.Errorf("got %d", status)
		}
		if round == 0 {
			if code := client.exitCode(); code != 3 {
				t.Errorf("got exit code %d", code)
			}
		}
	}
	for _, query := range []string{"signal=0&id=" + entry.ID, "signal=65&id=" + entry.ID, "id=" + entry.ID} {
		if status := s.call("POST", "/kill?"+query, nil, &ignored); status != 400 {
			t.Errorf("%s: got %d", query, status)
		}
	}
}

func TestSessionTimeoutKillsTheGroupAndIsReported(t *testing.T) {
	s := newSessionServer(t)
	for _, outputBytesMax := range []int64{0, 1000} {
		request := shell("echo before; sleep 600")
		request.TimeoutMilliseconds, request.OutputBytesMax = 1000, outputBytesMax
		got := s.result(s.begin(request).ID, "")
		if *got.ExitCode != -1 || got.Stdout != "before\n" || got.Stderr != timeoutNotice {
			t.Errorf("got %+v", got)
		}
	}
}

func TestSessionEndsSomeTimeAfterItsLastClientDisconnects(t *testing.T) {
	s := newSessionServer(t)
	request := shell("sleep 600")
	request.MaxRunAfterDisconnectMilliseconds = 50
	entry := s.begin(request)
	first, second := s.attachTo(entry.ID), s.attachTo(entry.ID)
	first.cancel()
	s.eventually("one client is left", func() bool {
		var now sessionEntry
		s.call("GET", "/list?id="+entry.ID, nil, &now)
		return now.AttachedClients == 1 && now.Running
	})
	second.cancel()
	if got := s.result(entry.ID, ""); *got.ExitCode != 128+9 {
		t.Errorf("got %+v", got)
	}
}

func TestSessionContinuesWithoutItsClients(t *testing.T) {
	s := newSessionServer(t)
	entry := s.begin(shell("head -c 5000000 /dev/zero; touch written; while [ ! -e go ]; do sleep 0.01; done"))
	s.attachTo(entry.ID)
	s.eventually("a client is attached", func() bool { return len(s.sessions.started[0].attached()) == 1 })
	s.sessions.DetachAll()
	s.eventually("the command writes on", func() bool { return exists(filepath.Join(s.home, "written")) })
	if count := s.sessions.attachedCount.value.Load(); count != 0 {
		t.Errorf("%d clients are counted", count)
	}
}

func TestSessionKeepsAllOutputForItsResult(t *testing.T) {
	s := newSessionServer(t)
	request := shell(`head -c 3000000 /dev/zero | tr '\0' x; echo err >&2; exit 4`)
	request.OutputBytesMax, request.Input = 2_500_000, false
	entry := s.begin(request)
	got := s.result(entry.ID, "&forget=1")
	if len(got.Stdout) != 2_500_000 || got.Stderr != "err\n" || !got.Truncated || *got.ExitCode != 4 {
		t.Errorf("got %d bytes, %q, truncated %v", len(got.Stdout), got.Stderr, got.Truncated)
	}
	var refusal map[string]string
	if status := s.call("GET", "/result?waitMilliseconds=0&id="+entry.ID, nil, &refusal); status != 404 || refusal["code"] != "session_not_found" {
		t.Errorf("a forgotten session gets %d %v", status, refusal)
	}
	if used := s.budget.bytesUsed.Load(); used != 0 {
		t.Errorf("%d bytes were not given back", used)
	}
}

// endsDuring is a response during whose writing the session ends.
type endsDuring struct {
	*httptest.ResponseRecorder
	session *session
}

func (r endsDuring) Write(data []byte) (int, error) {
	if err := r.session.signal(9); err != nil {
		return 0, err
	}
	<-r.session.done
	return r.ResponseRecorder.Write(data)
}

func TestSessionThatEndsWhileItIsReportedAsRunningIsKept(t *testing.T) {
	s := newSessionServer(t)
	request := shell("echo begun; while :; do sleep 0.05; done")
	request.OutputBytesMax, request.Input = 1000, false
	entry := s.begin(request)
	s.eventually("the command prints", func() bool {
		var got resultResponse
		s.call("GET", "/result?waitMilliseconds=0&id="+entry.ID, nil, &got)
		return got.Stdout == "begun\n"
	})
	response := endsDuring{httptest.NewRecorder(), s.sessions.byID[entry.ID]}
	query := "/result?waitMilliseconds=0&forget=1&id=" + entry.ID
	must(t, s.sessions.Result(response, httptest.NewRequest("GET", query, nil)))
	var reported resultResponse
	must(t, json.Unmarshal(response.Body.Bytes(), &reported))
	if !reported.Running || reported.ExitCode != nil {
		t.Fatalf("got %+v, want it running", reported)
	}
	if got := s.result(entry.ID, ""); got.Stdout != "begun\n" || *got.ExitCode != 128+9 {
		t.Errorf("got %+v, want the output and exit code 137", got)
	}
}

func TestSessionResultLeavesOutAnIncompleteCharacterUntilTheEnd(t *testing.T) {
	const script = `printf 'caf\303'; printf '\342\202' >&2
		while [ ! -e rest ]; do sleep 0.01; done
		printf '\251\360\237'; printf '\254' >&2
		while [ ! -e end ]; do sleep 0.01; done`
	for _, outputBytesMax := range []int64{0, 1000} {
		s := newSessionServer(t)
		request := shell(script)
		request.OutputBytesMax = outputBytesMax
		entry := s.begin(request)
		polled := func(bytesRead uint64) (got resultResponse) {
			s.t.Helper()
			transcript := s.sessions.byID[entry.ID].transcript
			s.eventually("the output is read", func() bool {
				transcript.mutex.Lock()
				defer transcript.mutex.Unlock()
				return transcript.end == bytesRead
			})
			s.call("GET", "/result?waitMilliseconds=0&id="+entry.ID, nil, &got)
			return got
		}
		if got := polled(6); got.Stdout != "caf" || got.Stderr != "" {
			t.Errorf("got %q and %q, want the incomplete characters held back", got.Stdout, got.Stderr)
		}
		must(t, os.WriteFile(filepath.Join(s.home, "rest"), nil, 0o644))
		if got := polled(10); got.Stdout != "café" || got.Stderr != "€" {
			t.Errorf("got %q and %q, want the completed characters", got.Stdout, got.Stderr)
		}
		must(t, os.WriteFile(filepath.Join(s.home, "end"), nil, 0o644))
		if got := s.result(entry.ID, ""); got.Stdout != "café\ufffd\ufffd" || got.Stderr != "€" {
			t.Errorf("got %q and %q, want U+FFFD for what stayed incomplete", got.Stdout, got.Stderr)
		}
	}
}

func TestSessionsDropTheOldestThatHaveEnded(t *testing.T) {
	s := newSessionServer(t)
	running := s.begin(shell("while :; do sleep 0.05; done"))
	first := s.begin(shell("true"))
	s.result(first.ID, "")
	for round := 0; round < limit.FinishedSessionsMax; round++ {
		s.result(s.begin(shell("true")).ID, "")
	}
	s.eventually("the oldest is dropped", func() bool {
		var entries []sessionEntry
		s.call("GET", "/list", nil, &entries)
		if len(entries) > limit.FinishedSessionsMax+1 {
			return false
		}
		for _, entry := range entries {
			if entry.ID == first.ID {
				return false
			}
		}
		return entries[0].ID == running.ID && entries[0].Running
	})
}

func TestSessionWithAnIDIsStartedOnce(t *testing.T) {
	s := newSessionServer(t)
	request := shell("echo once >> " + s.home + "/log; sleep 0.1")
	request.ID, request.Fingerprint, request.OutputBytesMax = "exec-one", "abc", 1<<10
	first := s.begin(request)
	if again := s.begin(request); again.ID != "exec-one" || again.StartedAtUnixMilliseconds != first.StartedAtUnixMilliseconds {
		t.Fatalf("got %+v, expected the session %+v", again, first)
	}
	s.result("exec-one", "")
	if ended := s.begin(request); ended.Running {
		t.Fatal("the session was started again after its end")
	}
	log, err := os.ReadFile(filepath.Join(s.home, "log"))
	must(t, err)
	if string(log) != "once\n" {
		t.Fatalf("the command wrote %q", log)
	}
	request.Fingerprint = "another"
	var refusal wire.Error
	if status := s.call("POST", "/start", request, &refusal); status != http.StatusUnprocessableEntity {
		t.Fatalf("another command under the same id got status %d", status)
	}
	for _, id := range []string{"a/b", "é", strings.Repeat("x", 65)} {
		request.ID = id
		if status := s.call("POST", "/start", request, &refusal); status != http.StatusBadRequest {
			t.Fatalf("the id %q got status %d", id, status)
		}
	}
}

func TestSessionsDropFinishedOnesForARunningOne(t *testing.T) {
	s := newSessionServer(t)
	s.budget.bytesMax = limit.SessionReplayBytesMax
	first := s.begin(shell("true"))
	s.result(first.ID, "")
	s.eventually("it counts as finished", func() bool {
		s.sessions.mutex.Lock()
		defer s.sessions.mutex.Unlock()
		return len(s.sessions.finished) == 1
	})
	s.begin(shell("while :; do sleep 0.05; done"))
	var refusal map[string]string
	if status := s.call("POST", "/start", shell("true"), &refusal); status != 429 {
		t.Errorf("without memory a start gets status %d", status)
	}
}

func TestSessionsRefuseMoreClientsThanTheLimit(t *testing.T) {
	s := newSessionServer(t)
	entry := s.begin(shell("while :; do sleep 0.05; done"))
	s.sessions.attachedCount.value.Store(limit.AttachedClientsMax)
	var refusal map[string]string
	if status := s.call("GET", "/output?id="+entry.ID, nil, &refusal); status != 429 {
		t.Errorf("got %d", status)
	}
	s.sessions.attachedCount.value.Store(limit.AttachedClientsMax - 1)
	s.attachTo(entry.ID).until(frameReplayEnd)
}

func TestSessionsRefuseInvalidRequests(t *testing.T) {
	s := newSessionServer(t)
	two, slow, big, none, after := shell("a"), shell("a"), shell("a"), shell(""), shell("a")
	two.Command = []string{"a", "b"}
	slow.TimeoutMilliseconds = limit.CommandTimeoutSecondsMax*1000 + 1
	big.OutputBytesMax = limit.CommandOutputBytesMax + 1
	after.MaxRunAfterDisconnectMilliseconds = -1
	absent := &SessionRequest{Request: Request{Command: []string{"no-such-program"}}}
	for _, request := range []*SessionRequest{two, slow, big, none, after, absent} {
		var refusal map[string]string
		if status := s.call("POST", "/start", request, &refusal); status != 400 {
			t.Errorf("%+v: got %d", request, status)
		}
	}
	if used := s.budget.bytesUsed.Load(); used != 0 || len(s.slots) != 0 {
		t.Errorf("%d bytes and %d slots were not given back", used, len(s.slots))
	}
}

func TestSessionsShowNoMoreOfACommandThanALimit(t *testing.T) {
	long := strings.Repeat("x", limit.SessionCommandBytesShownMax)
	for _, test := range []struct{ command, shown []string }{
		{[]string{"a", long, "b"}, []string{"a"}},
		{[]string{long + "y"}, []string{long}},
		{[]string{"a", "b"}, []string{"a", "b"}},
	} {
		request := SessionRequest{Request: Request{Command: test.command}}
		if got := request.shown(); fmt.Sprint(got) != fmt.Sprint(test.shown) {
			t.Errorf("got %d elements", len(got))
		}
	}
}

func TestSessionsLeaveNoDescriptorOpen(t *testing.T) {
	s := newSessionServer(t)
	s.result(s.begin(shell("true")).ID, "")
	before := openDescriptors(t)
	for round := 0; round < 10; round++ {
		s.result(s.begin(shell("echo out; cat <&0 &")).ID, "")
	}
	s.eventually("every descriptor is closed", func() bool { return openDescriptors(t) <= before })
}
