package machine

import (
	"encoding/binary"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

const (
	entropyBytesMin = 16
	entropyBytesMax = 512
)

// addEntropy mixes bytes into the kernel's pool and reseeds its generator from it
// (random(4)). Otherwise every guest restored from one snapshot would draw the
// same random numbers.
func addEntropy(data []byte) error {
	const addEntropyCall, reseedCall = 0x40085203, 0x5207 // RNDADDENTROPY, RNDRESEEDCRNG
	device, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cannot add entropy: %w", err)
	}
	defer device.Close()
	// struct rand_pool_info: entropy in bits, size in bytes, the bytes.
	pool := make([]byte, 8, 8+len(data))
	binary.LittleEndian.PutUint32(pool[0:], uint32(len(data)*8))
	binary.LittleEndian.PutUint32(pool[4:], uint32(len(data)))
	pool = append(pool, data...)
	_, _, number := syscall.Syscall(syscall.SYS_IOCTL, device.Fd(), addEntropyCall, uintptr(unsafe.Pointer(&pool[0])))
	if number != 0 {
		return fmt.Errorf("cannot add entropy: %w", number)
	}
	if _, _, number := syscall.Syscall(syscall.SYS_IOCTL, device.Fd(), reseedCall, 0); number != 0 {
		return fmt.Errorf("cannot reseed the random number generator: %w", number)
	}
	return nil
}

// setClock sets the wall clock, which did not advance while the machine was saved.
func setClock(unixMilliseconds int64) error {
	now := syscall.NsecToTimeval(unixMilliseconds * 1e6)
	if err := syscall.Settimeofday(&now); err != nil {
		return fmt.Errorf("cannot set the clock: %w", err)
	}
	return nil
}

// managedMemoryMB returns the memory that the kernel manages.
func managedMemoryMB() (int, error) {
	var system syscall.Sysinfo_t
	if err := syscall.Sysinfo(&system); err != nil {
		return 0, fmt.Errorf("cannot read the size of the memory: %w", err)
	}
	return int(system.Totalram * uint64(system.Unit) / (1 << 20)), nil
}
