package boot

import (
	"fmt"
	"log"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

const respawnPause = time.Second

// startAgent starts this program as the agent.
func startAgent(program string) (int, error) {
	attributes := &syscall.ProcAttr{
		Dir:   "/",
		Env:   []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	id, err := syscall.ForkExec(program, []string{AgentName}, attributes)
	if err != nil {
		return 0, fmt.Errorf("cannot start %s: %w", program, err)
	}
	return id, nil
}

// supervise reaps every process that has lost its parent, and keeps the agent
// running until the machine stops. It does not return.
func supervise(program string, stopping *atomic.Bool) {
	agent := respawn(program)
	for {
		var status syscall.WaitStatus
		id, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err == syscall.ECHILD:
			time.Sleep(respawnPause) // Everything has ended: the machine is stopping.
		case err != nil:
			log.Printf("cannot wait for processes: %v", err)
			time.Sleep(respawnPause)
		case id == agent && !stopping.Load():
			log.Printf("the agent ended with %s, starting it again", describe(status))
			time.Sleep(respawnPause)
			agent = respawn(program)
		}
	}
}

func respawn(program string) int {
	for {
		id, err := startAgent(program)
		if err == nil {
			return id
		}
		log.Print(err)
		time.Sleep(respawnPause)
	}
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}

// powerOff ends every process, syncs the disk and turns the machine off.
func powerOff() {
	log.Print("powering off")
	const grace = 2 * time.Second
	if err := syscall.Kill(-1, syscall.SIGTERM); err == nil {
		time.Sleep(grace)
	}
	if err := syscall.Kill(-1, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		log.Printf("cannot end the remaining processes: %v", err)
	}
	syscall.Sync()
	if err := syscall.Mount("", "/", "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		log.Printf("cannot make the disk read-only: %v", err)
	}
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		log.Printf("cannot power off: %v", err)
		os.Exit(1)
	}
}
