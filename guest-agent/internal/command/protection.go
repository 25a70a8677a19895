package command

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Scores are values of oom_score_adj (proc(5)), -1000 to 1000: the lower, the
// later a process is chosen when memory runs out; -1000 is never.
type Scores struct {
	Agent, Commands int
}

// Protection keeps the kernel from choosing the agent when memory runs out. A
// process inherits the score of the one that forks it, so the agent lays its
// own aside for the moment of a fork: a command never runs, not for one
// instruction, with the agent's protection.
type Protection struct {
	mutex  sync.Mutex
	scores Scores
	score  *os.File
}

// Protect gives the agent its score.
func Protect(scores Scores) (*Protection, error) {
	score, err := os.OpenFile("/proc/self/oom_score_adj", os.O_WRONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot protect the agent when memory runs out: %w", err)
	}
	protection := &Protection{scores: scores, score: score}
	if err := protection.set(scores.Agent); err != nil {
		score.Close()
		return nil, err
	}
	return protection, nil
}

func (p *Protection) set(score int) error {
	if _, err := p.score.WriteAt(strconv.AppendInt(nil, int64(score), 10), 0); err != nil {
		return fmt.Errorf("cannot set oom_score_adj to %d: %w", score, err)
	}
	return nil
}

// forkExec starts a program, as syscall.ForkExec does.
type forkExec func(program string, argv []string, attributes *syscall.ProcAttr) (int, error)

func (p *Protection) forkWithout(fork forkExec, program string, argv []string, attributes *syscall.ProcAttr) (int, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if err := p.set(p.scores.Commands); err != nil {
		return 0, err
	}
	id, forkErr := fork(program, argv, attributes)
	if err := p.set(p.scores.Agent); err != nil {
		log.Printf("the agent runs without protection: %v", err)
	}
	return id, forkErr
}
