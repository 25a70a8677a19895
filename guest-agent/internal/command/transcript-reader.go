package command

import "bytes"

// transcriptReader is one place in a transcript, of somebody who reads along.
type transcriptReader struct {
	transcript *transcript
	position   uint64
	// Output before this was there when the reader came.
	replayEnd uint64
	replayed  bool
	gone      bool
}

// read begins at the oldest output that is kept.
func (t *transcript) read() *transcriptReader {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	reader := &transcriptReader{transcript: t, position: t.start, replayEnd: t.end}
	t.readers[reader] = struct{}{}
	return reader
}

// lineBytesMax is how far a reader that begins at a line looks for one.
const lineBytesMax = 4096

// readFromLine begins at the first line whose beginning is kept: where older
// output was dropped, what is kept may begin inside of a character or of an
// escape sequence of the terminal.
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

// next waits for what comes next and puts its octets into space. After the
// output comes frameExit without octets. It is false once the reader has
// left.
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

// leave lets the command go on without this reader. Doing it again is harmless.
func (r *transcriptReader) leave() {
	r.transcript.mutex.Lock()
	defer r.transcript.mutex.Unlock()
	r.gone = true
	delete(r.transcript.readers, r)
	r.transcript.changed.Broadcast()
}
