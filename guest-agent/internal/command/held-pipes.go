package command

import (
	"io"
	"log"
	"os"
	"sync"
	"time"
)

// heldPipes keeps the pipes open that background processes still write to
// after their command has ended. Their output is read and dropped, so that
// such a process neither blocks nor dies of SIGPIPE. Each costs a descriptor
// and a parked goroutine until its writers are gone. Over the limit the
// oldest pipe is closed: its writers get SIGPIPE when they write next.
type heldPipes struct {
	countMax int

	mutex sync.Mutex
	pipes []*os.File
}

func (h *heldPipes) keep(pipe *os.File) {
	if err := pipe.SetReadDeadline(time.Time{}); err != nil {
		log.Printf("cannot go on reading a background process's output: %v", err)
		pipe.Close()
		return
	}
	h.mutex.Lock()
	h.pipes = append(h.pipes, pipe)
	if len(h.pipes) > h.countMax {
		h.pipes[0].Close()
		h.pipes = h.pipes[1:]
	}
	h.mutex.Unlock()
	go h.drop(pipe)
}

// drop reads until the last writer is gone, or the pipe was closed here.
func (h *heldPipes) drop(pipe *os.File) {
	// The end is the expected outcome and a closed pipe the other; neither
	// leaves anything to be done but to forget the pipe.
	_, _ = io.Copy(io.Discard, pipe)
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for index, held := range h.pipes {
		if held == pipe {
			h.pipes = append(h.pipes[:index:index], h.pipes[index+1:]...)
			pipe.Close()
			return
		}
	}
}

func (h *heldPipes) count() int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return len(h.pipes)
}
