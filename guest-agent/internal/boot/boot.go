// Package boot implements the first process of the guest: it prepares the
// machine, keeps the agent running and turns the machine off.
package boot

import (
	"fmt"
	"log"
	"os"
	"os/signal"
	"runtime/debug"
	"sync/atomic"
	"syscall"
)

// AgentName is the name that this program runs under as the agent.
const AgentName = "opencomputer-agent"

// Run runs the first process. It returns only when the machine cannot be
// prepared.
func Run() error {
	// Nothing allocates after the start, so the heap needs no collection.
	debug.SetGCPercent(-1)
	log.SetPrefix("init: ")
	syscall.Umask(0o022)
	if err := mountAll(); err != nil {
		return err
	}
	loadModules()
	tuneKernel()
	if err := configureNetwork(); err != nil {
		return err
	}
	if err := limitDescriptors(); err != nil {
		return err
	}
	if err := emptyTemporary(); err != nil {
		log.Print(err)
	}
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("cannot find the agent's program: %w", err)
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGPWR)
	var stopping atomic.Bool
	go func() {
		<-stop
		stopping.Store(true)
		powerOff()
	}()
	supervise(program, &stopping)
	return nil
}

func limitDescriptors() error {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 65536, Max: 1048576}); err != nil {
		return fmt.Errorf("cannot set the limit of open files: %w", err)
	}
	return nil
}

// emptyTemporary clears /tmp, as every boot of Debian does.
func emptyTemporary() error {
	entries, err := os.ReadDir("/tmp")
	if err != nil {
		return fmt.Errorf("cannot empty /tmp: %w", err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll("/tmp/" + entry.Name()); err != nil {
			return fmt.Errorf("cannot empty /tmp: %w", err)
		}
	}
	return nil
}
