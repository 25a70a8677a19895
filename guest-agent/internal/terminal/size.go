// Package terminal opens pseudo-terminals (pty(7)).
package terminal

import (
	"fmt"
	"syscall"
	"unsafe"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// Size is the size of a terminal in characters.
type Size struct {
	Columns int `json:"columns"`
	Rows    int `json:"rows"`
}

// Check returns an error for a size that no terminal can have.
func (s Size) Check() error {
	for _, side := range []struct {
		name  string
		value int
	}{{"columns", s.Columns}, {"rows", s.Rows}} {
		if side.value < 1 || side.value > limit.TerminalSizeMax {
			return wire.Errorf(wire.InvalidRequest, "%s must be from 1 to %d, got %d", side.name, limit.TerminalSizeMax, side.value)
		}
	}
	return nil
}

// kernelSize is the struct winsize of ioctl_tty(2).
type kernelSize struct {
	rows, columns, _, _ uint16
}

func (s Size) write(descriptor uintptr) error {
	size := kernelSize{rows: uint16(s.Rows), columns: uint16(s.Columns)}
	return control(descriptor, syscall.TIOCSWINSZ, unsafe.Pointer(&size))
}

func readSize(descriptor uintptr) (Size, error) {
	var size kernelSize
	err := control(descriptor, syscall.TIOCGWINSZ, unsafe.Pointer(&size))
	return Size{Columns: int(size.columns), Rows: int(size.rows)}, err
}

func control(descriptor uintptr, request uintptr, argument unsafe.Pointer) error {
	_, _, number := syscall.Syscall(syscall.SYS_IOCTL, descriptor, request, uintptr(argument))
	if number != 0 {
		return fmt.Errorf("ioctl %#x of a terminal: %w", request, number)
	}
	return nil
}
