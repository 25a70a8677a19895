package command

import (
	"fmt"
	"log"
	"os"
	"sync"
	"syscall"
)

const (
	protectedScore = "-1000"
	ordinaryScore  = "0"
)

// Protection is what keeps the kernel from choosing the agent when memory
// runs out (proc(5), oom_score_adj). A process inherits the score of the one
// that forks it, so the agent lays its own aside for the moment of a fork: a
// command never runs, not for one instruction, with the agent's protection.
type Protection struct {
	mutex sync.Mutex
	score *os.File
}

// Protect takes the agent out of the kernel's choice.
func Protect() (*Protection, error) {
	score, err := os.OpenFile("/proc/self/oom_score_adj", os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot protect the agent when memory runs out: %w", err)
	}
	protection := &Protection{score: score}
	if err := protection.set(protectedScore); err != nil {
		score.Close()
		return nil, err
	}
	return protection, nil
}

func (p *Protection) set(score string) error {
	if _, err := p.score.WriteAt([]byte(score), 0); err != nil {
		return fmt.Errorf("cannot set oom_score_adj to %s: %w", score, err)
	}
	return nil
}

func (p *Protection) forkWithout(program string, argv []string, attributes *syscall.ProcAttr) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.set(ordinaryScore); err != nil {
		return 0, err
	}
	id, forkErr := syscall.ForkExec(program, argv, attributes)
	if err := p.set(protectedScore); err != nil {
		log.Printf("the agent runs without protection: %v", err)
	}
	return id, forkErr
}
