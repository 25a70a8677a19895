package command

import (
	"encoding/binary"
	"net/http"
)

// frameType is the first byte of a frame. It is followed by the length of the
// payload as a big-endian uint32, and the payload. Clients of the API see the
// same types.
type frameType byte

const (
	frameStdout    frameType = 1
	frameStderr    frameType = 2
	frameExit      frameType = 3
	frameReplayEnd frameType = 4

	frameHeadBytes = 5
)

// frameWriter writes frames and flushes each at once.
type frameWriter struct {
	destination http.ResponseWriter
	flush       http.Flusher
	buffer      []byte
}

func newFrameWriter(destination http.ResponseWriter, flush http.Flusher) *frameWriter {
	return &frameWriter{destination: destination, flush: flush, buffer: make([]byte, frameHeadBytes+pieceBytesMax)}
}

// space returns the buffer for the next frame's payload.
func (w *frameWriter) space() []byte { return w.buffer[frameHeadBytes:] }

// write sends a frame with the first count bytes of space.
func (w *frameWriter) write(kind frameType, count int) error {
	w.buffer[0] = byte(kind)
	binary.BigEndian.PutUint32(w.buffer[1:], uint32(count))
	if _, err := w.destination.Write(w.buffer[:frameHeadBytes+count]); err != nil {
		return err
	}
	w.flush.Flush()
	return nil
}
