package command

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// sink receives the output of one stream.
type sink interface {
	// readOnce reads once from source.
	readOnce(source io.Reader) (int, error)
}

// stream is one output pipe of a command, with the sink of what is read from it.
type stream struct {
	sink
	pipe *os.File
	// done is closed when there is nothing more to read for this command.
	done chan struct{}
	// held is whether another process still has the pipe open; valid once
	// done is closed.
	held bool
}

// openStream creates a pipe. The descriptor is its write end, for the command.
func openStream(destination sink) (*stream, int, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return nil, 0, fmt.Errorf("cannot make a pipe for the output: %w", err)
	}
	if err := syscall.SetNonblock(ends[0], true); err != nil {
		syscall.Close(ends[0])
		syscall.Close(ends[1])
		return nil, 0, fmt.Errorf("cannot make a pipe for the output: %w", err)
	}
	return &stream{
		sink: destination,
		pipe: os.NewFile(uintptr(ends[0]), "output"),
		done: make(chan struct{}),
	}, ends[1], nil
}

// read reads the output until every holder of the pipe has closed it, or until
// finish was called and the pipe is empty.
func (s *stream) read() {
	defer close(s.done)
	for {
		_, err := s.readOnce(s.pipe)
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.held = s.drain()
			return
		case errors.Is(err, io.EOF):
			return
		default:
			log.Printf("cannot read a command's output: %v", err)
			return
		}
	}
}

// finish notifies the reader that the command has ended. A background process may
// still hold the pipe, so read does not wait for its end.
func (s *stream) finish() {
	if err := s.pipe.SetReadDeadline(time.Unix(1, 0)); err != nil {
		log.Printf("cannot interrupt the reading of a command's output: %v", err)
		s.pipe.Close()
	}
}

// drain reads what was in the pipe when the command ended, and reports whether
// its other end is still open. The amount is determined first, so that a
// background process which keeps writing does not keep drain from returning.
func (s *stream) drain() (held bool) {
	connection, err := s.pipe.SyscallConn()
	if err != nil {
		log.Printf("cannot read a command's last output: %v", err)
		return false
	}
	controlErr := connection.Control(func(descriptor uintptr) {
		waiting, err := bytesWaiting(descriptor)
		if err != nil {
			log.Printf("cannot read a command's last output: %v", err)
			return
		}
		source := descriptorReader(descriptor)
		for {
			count, err := s.readOnce(source)
			if err == io.EOF {
				return
			}
			if err == syscall.EAGAIN {
				held = true
				return
			}
			if err != nil {
				log.Printf("cannot read a command's last output: %v", err)
				return
			}
			if waiting -= count; waiting <= 0 {
				held = true
				return
			}
		}
	})
	if controlErr != nil {
		log.Printf("cannot read a command's last output: %v", controlErr)
	}
	return held
}

func bytesWaiting(descriptor uintptr) (int, error) {
	var count int32
	// FIONREAD has the same number as TIOCINQ (ioctl_tty(2)).
	_, _, number := syscall.Syscall(syscall.SYS_IOCTL, descriptor, syscall.TIOCINQ, uintptr(unsafe.Pointer(&count)))
	if number != 0 {
		return 0, fmt.Errorf("FIONREAD: %w", number)
	}
	return int(count), nil
}

// descriptorReader reads from a non-blocking descriptor, regardless of the
// deadline of its os.File.
type descriptorReader uintptr

func (r descriptorReader) Read(data []byte) (int, error) {
	for {
		count, err := syscall.Read(int(r), data)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 0, err
		}
		if count == 0 && len(data) > 0 {
			return 0, io.EOF
		}
		return count, nil
	}
}
