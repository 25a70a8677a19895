package command

import (
	"fmt"
	"log"
	"sort"
	"sync"
	"syscall"

	"opencomputer/guest-agent/internal/wire"
)

const (
	// The most output that is moved at once.
	pieceBytesMax = 32 << 10
	// The size that each change between the streams counts in addition to its bytes.
	pieceOverheadBytes = 32
)

// transcript keeps the last output of a command, both streams in the order in
// which they were read. With readers, output is dropped only after the slowest of
// them has read it: the command waits instead. Without readers, the oldest output
// is dropped.
type transcript struct {
	budget *budget

	mutex   sync.Mutex
	changed *sync.Cond
	ring    []byte
	// Positions in bytes since the command's start: output from start to end is kept.
	start, end uint64
	// Where the output changes between the streams; the first piece is at start.
	pieces  []piece
	readers map[*transcriptReader]struct{}
	closed  bool
	// Whether further output is dropped instead of kept.
	abandoned bool
}

type piece struct {
	start  uint64
	stream frameType
}

func newTranscript(budget *budget, bytesMax int64) (*transcript, error) {
	if !budget.take(bytesMax) {
		return nil, wire.Errorf(wire.TooManyRequests, "the sandbox has no memory for the output of another command. End some")
	}
	ring, err := mapPages(int(bytesMax))
	if err != nil {
		budget.giveBack(bytesMax)
		return nil, fmt.Errorf("cannot get memory for a command's output: %w", err)
	}
	t := &transcript{budget: budget, ring: ring, readers: map[*transcriptReader]struct{}{}}
	t.changed = sync.NewCond(&t.mutex)
	return t, nil
}

// write appends output. It waits for readers that are behind.
func (t *transcript) write(stream frameType, data []byte) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for len(data) > 0 {
		part := data
		if most := t.pieceBytesMax(); len(part) > most {
			part = part[:most]
		}
		cost := uint64(len(part) + pieceOverheadBytes)
		for len(t.readers) > 0 && !t.abandoned && t.used(t.slowest())+cost > uint64(len(t.ring)) {
			t.changed.Wait()
		}
		if t.abandoned {
			return
		}
		t.makeRoom(cost)
		t.add(stream, part)
		t.changed.Broadcast()
		data = data[len(part):]
	}
}

func (t *transcript) pieceBytesMax() int {
	if quarter := len(t.ring) / 4; quarter < pieceBytesMax {
		return quarter
	}
	return pieceBytesMax
}

// used returns how much of the ring the output from position on occupies.
func (t *transcript) used(position uint64) uint64 {
	if position == t.end {
		return 0
	}
	return t.end - position + uint64(len(t.pieces)-t.pieceAt(position))*pieceOverheadBytes
}

// pieceAt returns the index of the piece that contains position.
func (t *transcript) pieceAt(position uint64) int {
	return sort.Search(len(t.pieces), func(index int) bool { return t.pieces[index].start > position }) - 1
}

func (t *transcript) pieceEnd(index int) uint64 {
	if index+1 < len(t.pieces) {
		return t.pieces[index+1].start
	}
	return t.end
}

func (t *transcript) slowest() uint64 {
	position := t.end
	for reader := range t.readers {
		if reader.position < position {
			position = reader.position
		}
	}
	return position
}

// makeRoom drops the oldest output until cost more fits.
func (t *transcript) makeRoom(cost uint64) {
	for {
		needed := t.used(t.start) + cost
		if needed <= uint64(len(t.ring)) {
			return
		}
		excess := needed - uint64(len(t.ring))
		if first := t.pieceEnd(0) - t.start; excess >= first {
			t.start += first
			t.pieces = t.pieces[1:]
		} else {
			t.start += excess
			t.pieces[0].start = t.start
		}
	}
}

func (t *transcript) add(stream frameType, data []byte) {
	if count := len(t.pieces); count == 0 || t.pieces[count-1].stream != stream {
		t.pieces = append(t.pieces, piece{start: t.end, stream: stream})
	}
	first := copy(t.ring[t.end%uint64(len(t.ring)):], data)
	copy(t.ring, data[first:])
	t.end += uint64(len(data))
}

// copyOut copies the output from position on to space and returns its length.
func (t *transcript) copyOut(space []byte, position uint64) int {
	if left := t.end - position; uint64(len(space)) > left {
		space = space[:left]
	}
	first := copy(space, t.ring[position%uint64(len(t.ring)):])
	copy(space[first:], t.ring)
	return len(space)
}

// contents returns a copy of the kept output of one stream, and whether older
// output was dropped.
func (t *transcript) contents(stream frameType) (data []byte, truncated bool) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	for index, piece := range t.pieces {
		if piece.stream == stream {
			space := make([]byte, t.pieceEnd(index)-piece.start)
			data = append(data, space[:t.copyOut(space, piece.start)]...)
		}
	}
	return data, t.start > 0
}

// abandon drops further output, so that the end of a command does not wait for a
// reader that is behind.
func (t *transcript) abandon() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.abandoned = true
	t.changed.Broadcast()
}

func (t *transcript) bytesMax() int64 { return int64(len(t.ring)) }

// close marks the end of the output.
func (t *transcript) close() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.closed = true
	t.changed.Broadcast()
}

// release releases the memory. The transcript must not be used afterwards.
func (t *transcript) release() {
	if err := syscall.Munmap(t.ring); err != nil {
		log.Printf("cannot release the memory of a command's output: %v", err)
	}
	t.budget.giveBack(t.bytesMax())
	t.ring = nil
}
