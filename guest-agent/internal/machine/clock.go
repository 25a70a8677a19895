package machine

import (
	"fmt"
	"syscall"
)

// setClock sets the wall clock, which stood still while the machine was saved.
func setClock(unixMilliseconds int64) error {
	now := syscall.NsecToTimeval(unixMilliseconds * 1e6)
	if err := syscall.Settimeofday(&now); err != nil {
		return fmt.Errorf("cannot set the clock: %w", err)
	}
	return nil
}
