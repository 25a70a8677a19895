package terminal

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// inputUTF8 is IUTF8 of termios(3): backspace erases a whole character.
const inputUTF8 = 0x4000

// Terminal is the controlling side of a pseudo-terminal: writes to it are the
// programs' input, reads from it their output. Both support deadlines. Closing it
// hangs up: its session gets SIGHUP.
type Terminal struct {
	*os.File
}

// Open creates a pseudo-terminal. The second file is the side for the programs,
// which belongs to the user ownerID.
func Open(size Size, ownerID uint32) (*Terminal, *os.File, error) {
	descriptor, err := openFile("/dev/ptmx", syscall.O_NONBLOCK)
	if err != nil {
		return nil, nil, err
	}
	controlling := &Terminal{os.NewFile(uintptr(descriptor), "/dev/ptmx")}
	programs, err := openProgramSide(uintptr(descriptor), ownerID)
	if err == nil {
		if err = size.write(uintptr(descriptor)); err != nil {
			programs.Close()
		}
	}
	if err != nil {
		controlling.Close()
		return nil, nil, err
	}
	return controlling, programs, nil
}

func openProgramSide(descriptor uintptr, ownerID uint32) (*os.File, error) {
	var unlock, number int32
	if err := control(descriptor, syscall.TIOCSPTLCK, unsafe.Pointer(&unlock)); err != nil {
		return nil, err
	}
	if err := control(descriptor, syscall.TIOCGPTN, unsafe.Pointer(&number)); err != nil {
		return nil, err
	}
	path := fmt.Sprintf("/dev/pts/%d", number)
	opened, err := openFile(path, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(opened), path)
	if err := prepare(opened, ownerID); err != nil {
		file.Close()
		return nil, fmt.Errorf("cannot prepare %s: %w", path, err)
	}
	return file, nil
}

func prepare(descriptor int, ownerID uint32) error {
	if err := syscall.Fchown(descriptor, int(ownerID), -1); err != nil {
		return err
	}
	var settings syscall.Termios
	if err := control(uintptr(descriptor), syscall.TCGETS, unsafe.Pointer(&settings)); err != nil {
		return err
	}
	settings.Iflag |= inputUTF8
	return control(uintptr(descriptor), syscall.TCSETS, unsafe.Pointer(&settings))
}

func openFile(path string, flags int) (int, error) {
	descriptor, err := syscall.Open(path, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC|flags, 0)
	if err != nil {
		return 0, fmt.Errorf("cannot open %s: %w", path, err)
	}
	return descriptor, nil
}

// Resize changes the size of the terminal, which its foreground programs notice
// by SIGWINCH. An unchanged size is signalled too, so that a full-screen program
// redraws the screen for a client that has just attached.
func (t *Terminal) Resize(size Size) error {
	connection, err := t.SyscallConn()
	if err != nil {
		return err
	}
	var resizeErr error
	err = connection.Control(func(descriptor uintptr) {
		before, err := readSize(descriptor)
		if err == nil && before == size {
			resizeErr = signalForeground(descriptor)
			return
		}
		resizeErr = size.write(descriptor)
	})
	if err != nil {
		return err
	}
	return resizeErr
}

func signalForeground(descriptor uintptr) error {
	var group int32
	if err := control(descriptor, syscall.TIOCGPGRP, unsafe.Pointer(&group)); err != nil {
		return err
	}
	if group <= 1 {
		return nil
	}
	if err := syscall.Kill(-int(group), syscall.SIGWINCH); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot signal the foreground programs: %w", err)
	}
	return nil
}
