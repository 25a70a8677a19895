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

// addEntropy mixes octets into the kernel's pool and has its generator start
// anew from it (random(4)). Every guest restored from one snapshot would
// otherwise draw the same random numbers.
func addEntropy(octets []byte) error {
	const addEntropyCall, reseedCall = 0x40085203, 0x5207 // RNDADDENTROPY, RNDRESEEDCRNG
	device, err := os.OpenFile("/dev/urandom", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("cannot add entropy: %w", err)
	}
	defer device.Close()
	// struct rand_pool_info: entropy in bits, size in octets, the octets.
	pool := make([]byte, 8, 8+len(octets))
	binary.LittleEndian.PutUint32(pool[0:], uint32(len(octets)*8))
	binary.LittleEndian.PutUint32(pool[4:], uint32(len(octets)))
	pool = append(pool, octets...)
	_, _, number := syscall.Syscall(syscall.SYS_IOCTL, device.Fd(), addEntropyCall, uintptr(unsafe.Pointer(&pool[0])))
	if number != 0 {
		return fmt.Errorf("cannot add entropy: %w", number)
	}
	if _, _, number := syscall.Syscall(syscall.SYS_IOCTL, device.Fd(), reseedCall, 0); number != 0 {
		return fmt.Errorf("cannot reseed the random number generator: %w", number)
	}
	return nil
}
