package command

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// sessionEntry is the description of a session for clients.
type sessionEntry struct {
	ID                        string   `json:"id"`
	Command                   []string `json:"command"`
	Shell                     bool     `json:"shell"`
	Running                   bool     `json:"running"`
	ExitCode                  *int     `json:"exitCode,omitempty"`
	StartedAtUnixMilliseconds int64    `json:"startedAtUnixMilliseconds"`
	AttachedClients           int      `json:"attachedClients"`
}

func (s *session) entry() sessionEntry {
	entry := sessionEntry{
		ID:                        s.id,
		Command:                   s.shown,
		Shell:                     s.shell,
		Running:                   s.running(),
		StartedAtUnixMilliseconds: s.startedAt.UnixMilli(),
		AttachedClients:           len(s.attached()),
	}
	if !entry.Running {
		entry.ExitCode = &s.end.exitCode
	}
	return entry
}

// Start serves POST /v1/sessions.
func (b *Sessions) Start(response http.ResponseWriter, request *http.Request) error {
	var wanted SessionRequest
	if err := wire.ReadJSON(response, request, &wanted); err != nil {
		return err
	}
	s, err := b.start(&wanted)
	if err != nil {
		return err
	}
	wire.WriteJSON(response, s.entry())
	return nil
}

// List serves GET /v1/sessions; with an id, only that session.
func (b *Sessions) List(response http.ResponseWriter, request *http.Request) error {
	if request.URL.Query().Has("id") {
		s, err := b.find(request.URL.Query().Get("id"))
		if err != nil {
			return err
		}
		defer s.unhold()
		wire.WriteJSON(response, s.entry())
		return nil
	}
	b.mutex.Lock()
	entries := make([]sessionEntry, 0, len(b.started))
	for _, s := range b.started {
		entries = append(entries, s.entry())
	}
	b.mutex.Unlock()
	wire.WriteJSON(response, entries)
	return nil
}

// Kill serves POST /v1/sessions/kill.
func (b *Sessions) Kill(response http.ResponseWriter, request *http.Request) error {
	query := request.URL.Query()
	signal, err := strconv.Atoi(query.Get("signal"))
	if err != nil || signal < 1 || signal > 64 {
		return wire.Errorf(wire.InvalidRequest, "signal must be from 1 to 64, got %.20q", query.Get("signal"))
	}
	s, err := b.find(query.Get("id"))
	if err != nil {
		return err
	}
	defer s.unhold()
	if err := s.signal(syscall.Signal(signal)); err != nil {
		return err
	}
	wire.WriteJSON(response, struct{}{})
	return nil
}

// Input serves POST /v1/sessions/input: the body is passed to the command as it
// arrives. The end of the body also ends the command's input, but not when the
// body is incomplete.
func (b *Sessions) Input(response http.ResponseWriter, request *http.Request) error {
	s, err := b.find(request.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	defer s.unhold()
	if err := s.copyInput(request.Context(), request.Body); err != nil {
		return err
	}
	wire.WriteJSON(response, struct{}{})
	return nil
}

// Output serves GET /v1/sessions/output with frames: the kept output,
// frameReplayEnd, new output as it arrives, and frameExit with the exit code as a
// big-endian int32. A stream without frameExit is incomplete.
func (b *Sessions) Output(response http.ResponseWriter, request *http.Request) error {
	flush, can := response.(http.Flusher)
	if !can {
		return errors.New("the HTTP server cannot stream")
	}
	s, err := b.find(request.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	defer s.unhold()
	reader, err := s.attach()
	if err != nil {
		return err
	}
	defer s.detach(reader)
	over := make(chan struct{})
	defer close(over)
	go func() {
		select {
		case <-request.Context().Done():
			s.detach(reader)
		case <-over:
		}
	}()

	response.Header().Set("Content-Type", "application/byte-stream")
	response.WriteHeader(http.StatusOK)
	flush.Flush()
	frames := newFrameWriter(response, flush)
	for {
		kind, count, more := reader.next(frames.space())
		if !more {
			return nil
		}
		if kind == frameExit {
			binary.BigEndian.PutUint32(frames.space(), uint32(int32(s.end.exitCode)))
			count = 4
		}
		if err := frames.write(kind, count); err != nil {
			log.Printf("a client of session %s disconnected: %v", s.id, err)
			return nil
		}
		if kind == frameExit {
			return nil
		}
	}
}

// Result serves GET /v1/sessions/result: it waits up to waitMilliseconds for the
// command to end, then returns the output so far. With forget=1 a session whose
// end is in the response is dropped.
func (b *Sessions) Result(response http.ResponseWriter, request *http.Request) error {
	query := request.URL.Query()
	wait, err := strconv.Atoi(query.Get("waitMilliseconds"))
	if err != nil || wait < 0 || wait > limit.SessionResultWaitSecondsMax*1000 {
		return wire.Errorf(wire.InvalidRequest, "waitMilliseconds must be from 0 to %d, got %.20q", limit.SessionResultWaitSecondsMax*1000, query.Get("waitMilliseconds"))
	}
	s, err := b.find(query.Get("id"))
	if err != nil {
		return err
	}
	defer s.unhold()
	timer := time.NewTimer(time.Duration(wait) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-s.done:
	case <-timer.C:
	case <-request.Context().Done():
		return nil
	}
	// Read once: a command that ends while its result is written is reported
	// as running, and its client requests the rest again.
	running := s.running()
	response.Header().Set("Content-Type", "application/json")
	if err := s.writeResult(response, running); err != nil {
		log.Printf("the client disconnected before the response was complete: %v", err)
		return nil
	}
	if query.Get("forget") == "1" && !running {
		b.forget(s)
	}
	return nil
}

// writeResult writes the output so far. While the command is running, an
// incomplete character at its end is left out.
func (s *session) writeResult(destination io.Writer, running bool) error {
	stdout, stderr, truncated := s.output()
	notice := ""
	if s.stdout != nil && !running && s.end.timedOut {
		notice = timeoutNotice // The transcript has it already.
	}
	out := bufio.NewWriterSize(destination, 32<<10)
	fmt.Fprintf(out, `{"running":%t`, running)
	if !running {
		fmt.Fprintf(out, `,"exitCode":%d`, s.end.exitCode)
	}
	if truncated {
		out.WriteString(`,"truncated":true`)
	}
	if s.err != nil && !running {
		out.WriteString(`,"error":"the exit code of the command is unknown"`)
	}
	out.WriteString(`,"stdout":"`)
	if running {
		writePartialText(out, stdout)
	} else {
		writeText(out, stdout, "")
	}
	out.WriteString(`","stderr":"`)
	if running {
		writePartialText(out, stderr)
	} else {
		writeText(out, stderr, notice)
	}
	out.WriteString(`"}`)
	return out.Flush()
}

// output returns the kept output of both streams.
func (s *session) output() (stdout, stderr [][]byte, truncated bool) {
	s.mutex.Lock()
	if s.stdout != nil {
		defer s.mutex.Unlock()
		return s.stdout.chunks(), s.stderr.chunks(), s.stdout.truncated || s.stderr.truncated
	}
	s.mutex.Unlock()
	out, _ := s.transcript.contents(frameStdout)
	err, truncated := s.transcript.contents(frameStderr)
	return [][]byte{out}, [][]byte{err}, truncated
}
