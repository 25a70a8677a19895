package command

import (
	"context"
	"fmt"
	"log"
	"syscall"
	"time"
)

// ending is how a command ended.
type ending struct {
	exitCode int
	timedOut bool
}

// wait returns when the command itself has ended: by itself, after the timeout (0
// means none) or because ctx is done. In the latter two cases its process group is
// killed. The leader is not reaped before that, so its process id, which is also
// that of the group, cannot belong to another process.
func (p *process) wait(ctx context.Context, timeout time.Duration) (ending, error) {
	exited := make(chan error, 1)
	go func() { exited <- waitUntilExited(p.id) }()
	var timeIsOver <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		timeIsOver = timer.C
	}

	var end ending
	var waitErr error
	select {
	case waitErr = <-exited:
	case <-timeIsOver:
		end.timedOut = true
		p.killGroup()
		waitErr = <-exited
	case <-ctx.Done():
		p.killGroup()
		waitErr = <-exited
	}
	if waitErr != nil {
		return end, waitErr
	}
	status, err := p.reap()
	if err != nil {
		return end, err
	}
	switch {
	case end.timedOut:
		end.exitCode = -1
	case status.Signaled():
		end.exitCode = 128 + int(status.Signal())
	default:
		end.exitCode = status.ExitStatus()
	}
	return end, nil
}

func (p *process) reap() (syscall.WaitStatus, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var status syscall.WaitStatus
	if _, err := retry(func() (int, error) { return syscall.Wait4(p.id, &status, 0, nil) }); err != nil {
		return status, fmt.Errorf("cannot reap process %d: %w", p.id, err)
	}
	p.reaped = true
	return status, nil
}

func (p *process) killGroup() {
	if err := p.signalGroup(syscall.SIGKILL); err != nil {
		log.Printf("cannot kill process group %d: %v", p.id, err)
	}
}

// signalGroup signals the command's process group. It does nothing after the
// command was reaped, since the id may then belong to another group.
func (p *process) signalGroup(signal syscall.Signal) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.reaped {
		return nil
	}
	return syscall.Kill(-p.id, signal)
}

// waitUntilExited waits for a process to exit, without reaping it.
func waitUntilExited(id int) error {
	const byProcessID, exited, leaveIt = 1, 4, 0x01000000 // P_PID, WEXITED, WNOWAIT
	_, err := retry(func() (int, error) {
		_, _, number := syscall.Syscall6(syscall.SYS_WAITID, byProcessID, uintptr(id), 0, exited|leaveIt, 0, 0)
		if number != 0 {
			return 0, number
		}
		return 0, nil
	})
	if err != nil {
		return fmt.Errorf("cannot wait for process %d: %w", id, err)
	}
	return nil
}

func retry(call func() (int, error)) (int, error) {
	for {
		result, err := call()
		if err != syscall.EINTR {
			return result, err
		}
	}
}
