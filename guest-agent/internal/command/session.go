package command

import (
	"context"
	"io"
	"log"
	"sync"
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/terminal"
	"opencomputer/guest-agent/internal/wire"
)

// session is a command to which clients attach and from which they detach. It
// needs no client: it continues to run, and its last output and its exit code are
// kept until newer sessions need the memory.
type session struct {
	id string
	// The digest of the request, from the client that started the session.
	fingerprint string
	// The request, for a restart.
	request    *SessionRequest
	shown      []string
	shell      bool
	startedAt  time.Time
	transcript *transcript
	input      *sessionInput
	// The terminal of a shell; nil for other commands.
	terminal *terminal.Terminal
	size     terminal.Size
	process  *process
	// cancel kills the command.
	cancel            context.CancelFunc
	runAfterLeaving   time.Duration
	done              chan struct{}
	countAttachedFrom *attachedCount

	// Set before done is closed.
	end ending
	err error

	mutex sync.Mutex
	// All output, for sessions that keep it; nil for others.
	stdout, stderr *capture
	readers        map[*transcriptReader]struct{}
	leaving        *time.Timer
	// Whether the terminal was closed; it then has no size.
	isHungUp bool
	// The number of users of the output's memory: the list of sessions, and each
	// request in progress.
	holders int
}

// sessionSink passes one stream of a command to its session.
type sessionSink struct {
	session *session
	stream  frameType
	buffer  []byte
}

const sessionReadBytes = 16 << 10

func (s *sessionSink) readOnce(source io.Reader) (int, error) {
	count, err := source.Read(s.buffer)
	if count > 0 {
		s.session.record(s.stream, s.buffer[:count])
	}
	return count, err
}

func (s *session) record(stream frameType, data []byte) {
	s.mutex.Lock()
	kept := s.stdout
	if stream == frameStderr {
		kept = s.stderr
	}
	if kept != nil {
		kept.add(data)
	}
	s.mutex.Unlock()
	s.transcript.write(stream, data)
}

// openSession creates a session without a command. Its memory is released by its
// last holder.
func (r *Runner) openSession(request *SessionRequest) (*session, error) {
	prefix, replayBytesMax := "exec-", int64(limit.SessionReplayBytesMax)
	if request.terminal != nil {
		prefix, replayBytesMax = "pty-", limit.TerminalReplayBytesMax
	}
	id := request.ID
	if id == "" {
		var err error
		if id, err = newSessionID(prefix); err != nil {
			return nil, err
		}
	}
	transcript, err := newTranscript(r.budget, replayBytesMax)
	if err != nil {
		return nil, err
	}
	s := &session{
		id:              id,
		fingerprint:     request.Fingerprint,
		request:         request,
		shown:           request.shown(),
		shell:           request.Shell,
		transcript:      transcript,
		runAfterLeaving: time.Duration(request.MaxRunAfterDisconnectMilliseconds) * time.Millisecond,
		done:            make(chan struct{}),
		readers:         map[*transcriptReader]struct{}{},
		holders:         1,
	}
	if request.OutputBytesMax > 0 {
		s.stdout = newCapture(r.budget, request.OutputBytesMax)
		s.stderr = newCapture(r.budget, request.OutputBytesMax)
	}
	return s, nil
}

// startSession runs the session's command and calls ended when it has ended.
func (r *Runner) startSession(s *session, request *SessionRequest, ended func()) error {
	if request.terminal != nil {
		return r.startTerminal(s, request, ended)
	}
	commandInput := r.emptyInput
	if request.Input {
		var err error
		if s.input, commandInput, err = openInput(); err != nil {
			return err
		}
		defer commandInput.Close()
	}
	asRun := request.Request
	asRun.Command = request.argv()
	started, err := r.start(&asRun, channels{
		input:  commandInput,
		stdout: &sessionSink{session: s, stream: frameStdout, buffer: make([]byte, sessionReadBytes)},
		stderr: &sessionSink{session: s, stream: frameStderr, buffer: make([]byte, sessionReadBytes)},
	})
	if err != nil {
		if s.input != nil {
			s.input.close()
		}
		return err
	}
	s.process = started
	s.startedAt = time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go func() {
		defer cancel()
		s.end, s.err = started.wait(ctx, time.Duration(request.TimeoutMilliseconds)*time.Millisecond)
		if s.input != nil {
			s.input.close()
		}
		r.finishStreams(started)
		if s.end.timedOut {
			s.transcript.write(frameStderr, []byte(timeoutNotice))
		}
		if s.err != nil {
			log.Print(s.err)
			s.end.exitCode = -1
		}
		close(s.done)
		s.transcript.close()
		ended()
	}()
	return nil
}

func (s *session) running() bool {
	select {
	case <-s.done:
		return false
	default:
		return true
	}
}

// signal signals the command's process group. It does nothing after the command
// has ended.
func (s *session) signal(signal syscall.Signal) error {
	if err := s.process.signalGroup(signal); err != nil && err != syscall.ESRCH {
		return wire.Errorf(wire.InvalidRequest, "session %s cannot be sent signal %d: %v", s.id, int(signal), err)
	}
	return nil
}

// attach returns a reader of the output, which the caller must pass to detach.
func (s *session) attach() (*transcriptReader, error) {
	if !s.countAttachedFrom.add() {
		return nil, wire.Errorf(wire.TooManyRequests, "client limit reached: %[1]d of %[1]d clients are attached to commands and terminals of this sandbox. Detach some", limit.AttachedClientsMax)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	reader := s.openReader()
	s.readers[reader] = struct{}{}
	if s.leaving != nil {
		s.leaving.Stop()
		s.leaving = nil
	}
	return reader, nil
}

func (s *session) openReader() *transcriptReader {
	if s.terminal != nil {
		return s.transcript.readFromLine()
	}
	return s.transcript.read()
}

// detach ends the reader of attach. It is idempotent.
func (s *session) detach(reader *transcriptReader) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if _, attached := s.readers[reader]; !attached {
		return
	}
	delete(s.readers, reader)
	reader.leave()
	s.countAttachedFrom.remove()
	if len(s.readers) == 0 && s.runAfterLeaving > 0 && s.running() {
		s.leaving = time.AfterFunc(s.runAfterLeaving, s.cancel)
	}
}

func (s *session) attached() []*transcriptReader {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	readers := make([]*transcriptReader, 0, len(s.readers))
	for reader := range s.readers {
		readers = append(readers, reader)
	}
	return readers
}

// bytesHeld returns how much the session has taken from the budget.
func (s *session) bytesHeld() int64 {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	held := s.transcript.bytesMax()
	if s.stdout != nil {
		held += s.stdout.bytesHeld() + s.stderr.bytesHeld()
	}
	return held
}

// hold keeps the output's memory until unhold. It returns false when the memory was
// already released.
func (s *session) hold() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.holders == 0 {
		return false
	}
	s.holders++
	return true
}

func (s *session) unhold() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.holders--; s.holders > 0 {
		return
	}
	s.transcript.release()
	if s.stdout != nil {
		s.stdout.release()
		s.stderr.release()
	}
}

// copyInput passes bytes of a client to the command. The end of source ends the
// command's input.
func (s *session) copyInput(ctx context.Context, source io.Reader) error {
	if s.input == nil {
		return wire.Errorf(wire.InvalidRequest, "session %s was started without an input", s.id)
	}
	dropped, err := s.input.copyFrom(ctx, source)
	if err != nil {
		return wire.Errorf(wire.InvalidRequest, "the input of session %s is incomplete: %v", s.id, err)
	}
	if !dropped && s.terminal == nil {
		s.input.close()
	}
	return nil
}
