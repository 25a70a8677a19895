package command

import (
	"fmt"
	"sync/atomic"
	"syscall"
)

// budget limits the memory for the output of all commands together, so that
// many commands with long output cannot exhaust the guest's memory.
type budget struct {
	bytesMax  int64
	bytesUsed atomic.Int64
}

// newBudget returns a budget of a quarter of the memory, between 32 MiB and
// 512 MiB.
func newBudget() (*budget, error) {
	var memory syscall.Sysinfo_t
	if err := syscall.Sysinfo(&memory); err != nil {
		return nil, fmt.Errorf("cannot read the size of the memory: %w", err)
	}
	bytesMax := int64(memory.Totalram) * int64(memory.Unit) / 4
	const least, most = 32 << 20, 512 << 20
	if bytesMax < least {
		bytesMax = least
	}
	if bytesMax > most {
		bytesMax = most
	}
	return &budget{bytesMax: bytesMax}, nil
}

func (b *budget) take(count int64) bool {
	if b.bytesUsed.Add(count) > b.bytesMax {
		b.bytesUsed.Add(-count)
		return false
	}
	return true
}

func (b *budget) giveBack(count int64) { b.bytesUsed.Add(-count) }
