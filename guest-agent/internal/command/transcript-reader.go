package command

import "bytes"

// transcriptReader is the position of one reader in a transcript.
type transcriptReader struct {
	transcript *transcript
	position   uint64
	// Output before this was kept when the reader was created.
	replayEnd uint64
	replayed  bool
	gone      bool
}

// read returns a reader that starts at the oldest kept output.
func (t *transcript) read() *transcriptReader {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	reader := &transcriptReader{transcript: t, position: t.start, replayEnd: t.end}
	t.readers[reader] = struct{}{}
	return reader
}

// lineBytesMax is how far readFromLine searches for the start of a line.
const lineBytesMax = 4096

// readFromLine returns a reader that starts at the first line whose beginning is
// kept: after older output was dropped, the kept output may start inside a
// character or an escape sequence of the terminal.
func (t *transcript) readFromLine() *transcriptReader {
	reader := t.read()
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if reader.position == 0 {
		return reader
	}
	space := make([]byte, lineBytesMax)
	kept := t.copyOut(space, reader.position)
	if end := bytes.IndexByte(space[:kept], '\n'); end >= 0 {
		reader.position += uint64(end) + 1
	}
	return reader
}

// next waits for the next output and copies it to space. After the output it
// returns frameExit without bytes. more is false after the reader has left.
func (r *transcriptReader) next(space []byte) (kind frameType, count int, more bool) {
	t := r.transcript
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for {
		switch {
		case r.gone:
			return 0, 0, false
		case !r.replayed && r.position == r.replayEnd:
			r.replayed = true
			return frameReplayEnd, 0, true
		case r.position < t.end:
			index := t.pieceAt(r.position)
			end := t.pieceEnd(index)
			if !r.replayed && end > r.replayEnd {
				end = r.replayEnd
			}
			if left := end - r.position; uint64(len(space)) > left {
				space = space[:left]
			}
			count = t.copyOut(space, r.position)
			r.position += uint64(count)
			t.changed.Broadcast()
			return t.pieces[index].stream, count, true
		case t.closed:
			return frameExit, 0, true
		}
		t.changed.Wait()
	}
}

// leave removes the reader, so that the command no longer waits for it. It is
// idempotent.
func (r *transcriptReader) leave() {
	r.transcript.mutex.Lock()
	defer r.transcript.mutex.Unlock()
	r.gone = true
	delete(r.transcript.readers, r)
	r.transcript.changed.Broadcast()
}
