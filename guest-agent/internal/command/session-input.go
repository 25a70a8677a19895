package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"sync"
	"syscall"
	"time"
)

// sessionInput is the standard input of a session, to which clients write.
type sessionInput struct {
	mutex sync.Mutex
	pipe  *os.File
}

// openInput creates a pipe. The file is its read end, for the command.
func openInput() (*sessionInput, *os.File, error) {
	var ends [2]int
	if err := syscall.Pipe2(ends[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, fmt.Errorf("cannot make a pipe for the input: %w", err)
	}
	reading := os.NewFile(uintptr(ends[0]), "input")
	if err := syscall.SetNonblock(ends[1], true); err != nil {
		reading.Close()
		syscall.Close(ends[1])
		return nil, nil, fmt.Errorf("cannot make a pipe for the input: %w", err)
	}
	return &sessionInput{pipe: os.NewFile(uintptr(ends[1]), "input")}, reading, nil
}

// copyFrom passes source on at the command's pace. Input that the command no
// longer reads is dropped, which is no error: done is then true. The error is
// that of source or of ctx.
func (i *sessionInput) copyFrom(ctx context.Context, source io.Reader) (done bool, err error) {
	buffer := make([]byte, pieceBytesMax)
	for {
		count, readErr := source.Read(buffer)
		if count > 0 {
			if err := i.write(ctx, buffer[:count]); err != nil {
				if ctx.Err() != nil {
					return false, ctx.Err()
				}
				return true, nil
			}
		}
		if errors.Is(readErr, io.EOF) {
			return false, nil
		}
		if readErr != nil {
			return false, readErr
		}
	}
}

// write writes all bytes, or stops when ctx ends or the input is closed.
func (i *sessionInput) write(ctx context.Context, data []byte) error {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if err := i.pipe.SetWriteDeadline(time.Time{}); err != nil {
		return err
	}
	written := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-written:
		case <-ctx.Done():
			if err := i.pipe.SetWriteDeadline(time.Unix(1, 0)); err != nil && !errors.Is(err, os.ErrClosed) {
				log.Printf("cannot interrupt the writing of a command's input: %v", err)
			}
		}
	}()
	_, err := i.pipe.Write(data)
	close(written)
	<-watched
	return err
}

// close ends the command's input. It is idempotent.
func (i *sessionInput) close() {
	if err := i.pipe.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		log.Printf("cannot close a command's input: %v", err)
	}
}
