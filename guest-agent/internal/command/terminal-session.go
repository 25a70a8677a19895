package command

import (
	"context"
	"errors"
	"io"
	"log"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/terminal"
)

const (
	// terminalType is what the common terminal emulators support.
	terminalType = "xterm-256color"
	// loginPathVariable passes PATH to the guest's /etc/profile.d/opencomputer.sh,
	// since /etc/profile replaces the PATH of every login shell.
	loginPathVariable = "OPENCOMPUTER_LOGIN_PATH"

	// Output that programs wrote before their shell ended is read within this time.
	lastOutputMilliseconds = 200
	// The shell may open a terminal again that every program has closed.
	reopenMilliseconds = 100
	// A shell that ignores SIGHUP is killed after this time.
	hangUpSeconds = 5
	// More than the kernel keeps of a terminal's output.
	lastOutputBytesMax = 256 << 10
)

// startTerminal opens the session's terminal, runs its shell in it and calls
// ended when the shell has ended.
func (r *Runner) startTerminal(s *session, request *SessionRequest, ended func()) error {
	user, err := r.accounts.Find(r.user)
	if err != nil {
		return err
	}
	controlling, programs, err := terminal.Open(*request.terminal, user.UserID)
	if err != nil {
		return err
	}
	defer programs.Close()
	started, err := r.start(&request.Request, channels{terminal: programs})
	if err != nil {
		controlling.Close()
		return err
	}
	s.terminal, s.size, s.process = controlling, *request.terminal, started
	s.input = &sessionInput{pipe: controlling.File}
	s.startedAt = time.Now()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	shellEnded, allRead := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(allRead)
		s.readTerminal(shellEnded)
	}()
	go func() {
		defer cancel()
		s.end, s.err = started.wait(ctx, 0)
		close(shellEnded)
		// An error means that the terminal was closed, which also ends the reading.
		_ = controlling.SetReadDeadline(time.Now().Add(lastOutputMilliseconds * time.Millisecond))
		<-allRead
		s.closeTerminal()
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

// startShell starts the program as a login shell (bash(1), "INVOCATION"), the
// leader of the terminal's session.
func (r *Runner) startShell(program string, programs *os.File, attributes *syscall.ProcAttr) (*process, error) {
	descriptor := programs.Fd()
	attributes.Files = []uintptr{descriptor, descriptor, descriptor}
	attributes.Sys.Setctty = true
	attributes.Sys.Ctty = 0
	id, err := r.fork(program, []string{"-" + filepath.Base(program)}, attributes)
	if err != nil {
		return nil, err
	}
	return &process{id: id}, nil
}

// readTerminal records the terminal's output, at the pace of the slowest client.
func (s *session) readTerminal(shellEnded <-chan struct{}) {
	buffer := make([]byte, sessionReadBytes)
	for {
		count, err := s.terminal.Read(buffer)
		s.transcript.write(frameStdout, buffer[:count])
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.readLastOutput(buffer)
			return
		case errors.Is(err, syscall.EIO):
			select {
			case <-shellEnded:
				return
			case <-time.After(reopenMilliseconds * time.Millisecond):
			}
		case errors.Is(err, os.ErrClosed):
			return
		default:
			log.Printf("cannot read terminal %s: %v", s.id, err)
			return
		}
	}
}

// readLastOutput reads the remaining output after the deadline. Processes that
// still have the terminal open may continue to write, so no more is read than the
// kernel buffers.
func (s *session) readLastOutput(buffer []byte) {
	connection, err := s.terminal.SyscallConn()
	if err != nil {
		return
	}
	left := lastOutputBytesMax
	for left > 0 {
		var count int
		var readErr error
		err := connection.Control(func(descriptor uintptr) {
			count, readErr = descriptorReader(descriptor).Read(buffer)
		})
		if err != nil || readErr != nil {
			if readErr != nil && readErr != syscall.EAGAIN && readErr != syscall.EIO && readErr != io.EOF {
				log.Printf("cannot read the last output of terminal %s: %v", s.id, readErr)
			}
			return
		}
		s.transcript.write(frameStdout, buffer[:count])
		left -= count
	}
}

// resize changes the size that the terminal's programs see. It does nothing after
// the shell has ended.
func (s *session) resize(size terminal.Size) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.isHungUp {
		return nil
	}
	if err := s.terminal.Resize(size); err != nil {
		return err
	}
	s.size = size
	return nil
}

// hangUp closes the terminal, as closing a window does: the shell and the
// foreground programs get SIGHUP. It returns when the shell has ended.
func (s *session) hangUp() {
	s.transcript.abandon()
	s.closeTerminal()
	timer := time.AfterFunc(hangUpSeconds*time.Second, s.cancel)
	defer timer.Stop()
	<-s.done
}

func (s *session) closeTerminal() {
	s.mutex.Lock()
	s.isHungUp = true
	s.mutex.Unlock()
	s.input.close()
}
