package command

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"syscall"
)

// Scores are values of oom_score_adj (proc(5)), from -1000 to 1000: the lower the
// score, the later the kernel kills the process when memory runs out; with -1000
// never.
type Scores struct {
	Agent, Commands int
}

// Protection keeps the kernel from killing the agent when memory runs out. A
// process inherits the score of its parent, so the agent changes its own score
// while it forks: a command never runs with the agent's protection, not even for
// one instruction.
type Protection struct {
	mutex  sync.Mutex
	scores Scores
	score  *os.File
}

// Protect sets the score of the agent.
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

// forkExec starts a program like syscall.ForkExec.
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
