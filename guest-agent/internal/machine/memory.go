package machine

import (
	"fmt"
	"syscall"
)

func managedMemoryMB() (int, error) {
	var system syscall.Sysinfo_t
	if err := syscall.Sysinfo(&system); err != nil {
		return 0, fmt.Errorf("cannot read the size of the memory: %w", err)
	}
	return int(system.Totalram * uint64(system.Unit) / (1 << 20)), nil
}
