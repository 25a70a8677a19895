package command

import (
	"io"
	"log"
	"os"
	"sync"
	"time"
)

// heldPipes keeps pipes open to which background processes still write after
// their command has ended. Their output is read and dropped, so that such a
// process neither blocks nor is ended by SIGPIPE. Each pipe costs a descriptor
// and a blocked goroutine until its writers have ended. Over the limit the oldest
// pipe is closed: its writers get SIGPIPE at their next write.
type heldPipes struct {
	countMax int

	mutex sync.Mutex
	pipes []*os.File
}

func (h *heldPipes) keep(pipe *os.File) {
	if err := pipe.SetReadDeadline(time.Time{}); err != nil {
		log.Printf("cannot continue to read a background process's output: %v", err)
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

// drop reads until the last writer has ended, or keep has closed the pipe.
func (h *heldPipes) drop(pipe *os.File) {
	// It returns at the end of the output or for a closed pipe. In both cases
	// the pipe only has to be removed.
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
