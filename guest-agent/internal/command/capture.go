package command

import (
	"io"
	"log"
	"syscall"
)

const (
	firstChunkBytes = 8 << 10
	// Longer output is kept outside the Go heap, and its memory is returned to
	// the kernel as soon as it has been sent.
	mappedChunkBytes = 1 << 20
)

// capture keeps the output of one stream up to a limit. Further output is read
// and dropped, so the command can continue to write.
type capture struct {
	budget    *budget
	bytesLeft int64
	truncated bool

	first  []byte
	mapped [][]byte
	drop   []byte
}

func newCapture(budget *budget, bytesMax int64) *capture {
	return &capture{budget: budget, bytesLeft: bytesMax}
}

// readOnce reads once from source.
func (c *capture) readOnce(source io.Reader) (int, error) {
	space := c.space()
	count, err := source.Read(space)
	if count > 0 {
		c.keep(count)
	}
	return count, err
}

// space returns the buffer for the next bytes. Only keep makes them part of the
// capture.
func (c *capture) space() []byte {
	if c.bytesLeft == 0 {
		return c.dropSpace()
	}
	if c.first == nil {
		c.first = make([]byte, 0, firstChunkBytes)
	}
	chunk := c.lastChunk()
	if len(*chunk) == cap(*chunk) {
		if chunk = c.addMapped(); chunk == nil {
			c.bytesLeft = 0
			return c.dropSpace()
		}
	}
	free := (*chunk)[len(*chunk):cap(*chunk)]
	if int64(len(free)) > c.bytesLeft {
		free = free[:c.bytesLeft]
	}
	return free
}

func (c *capture) keep(count int) {
	if c.bytesLeft == 0 {
		c.truncated = true
		return
	}
	chunk := c.lastChunk()
	*chunk = (*chunk)[:len(*chunk)+count]
	c.bytesLeft -= int64(count)
}

func (c *capture) lastChunk() *[]byte {
	if len(c.mapped) == 0 {
		return &c.first
	}
	return &c.mapped[len(c.mapped)-1]
}

func (c *capture) addMapped() *[]byte {
	if !c.budget.take(mappedChunkBytes) {
		return nil
	}
	pages, err := mapPages(mappedChunkBytes)
	if err != nil {
		log.Printf("the rest of a command's output is dropped, since there is no memory for it: %v", err)
		c.budget.giveBack(mappedChunkBytes)
		return nil
	}
	c.mapped = append(c.mapped, pages[:0])
	return &c.mapped[len(c.mapped)-1]
}

func mapPages(count int) ([]byte, error) {
	const protection, flags = syscall.PROT_READ | syscall.PROT_WRITE, syscall.MAP_PRIVATE | syscall.MAP_ANON
	return syscall.Mmap(-1, 0, count, protection, flags)
}

func (c *capture) dropSpace() []byte {
	if c.drop == nil {
		c.drop = make([]byte, 32<<10)
	}
	return c.drop
}

// add appends bytes that were read elsewhere.
func (c *capture) add(data []byte) {
	for len(data) > 0 {
		count := copy(c.space(), data)
		c.keep(count)
		data = data[count:]
	}
}

// chunks returns the kept output in order. The returned slices stay valid until
// the capture is released, also while more is added.
func (c *capture) chunks() [][]byte {
	return append([][]byte{c.first}, c.mapped...)
}

// bytesHeld returns how much the capture has taken from the budget.
func (c *capture) bytesHeld() int64 { return int64(len(c.mapped)) * mappedChunkBytes }

// release gives the memory back. The capture must not be used afterwards.
func (c *capture) release() {
	for _, chunk := range c.mapped {
		if err := syscall.Munmap(chunk[:cap(chunk)]); err != nil {
			log.Printf("cannot release the memory of a command's output: %v", err)
		}
		c.budget.giveBack(mappedChunkBytes)
	}
	c.mapped, c.first = nil, nil
}
