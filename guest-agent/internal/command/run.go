package command

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/environment"
	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// Runner runs commands, each in a new session and process group.
type Runner struct {
	environment *environment.Store
	accounts    *account.Book
	user        string
	protection  *Protection
	budget      *budget
	held        *heldPipes
	slots       chan struct{}
	emptyInput  *os.File
	forkExec    forkExec
}

// NewRunner returns a Runner whose commands run as user.
func NewRunner(store *environment.Store, accounts *account.Book, user string, protection *Protection) (*Runner, error) {
	budget, err := newBudget()
	if err != nil {
		return nil, err
	}
	emptyInput, err := os.Open(os.DevNull)
	if err != nil {
		return nil, fmt.Errorf("cannot open the commands' input: %w", err)
	}
	return &Runner{
		environment: store,
		accounts:    accounts,
		user:        user,
		protection:  protection,
		budget:      budget,
		held:        &heldPipes{countMax: limit.HeldPipesMax},
		slots:       make(chan struct{}, limit.CommandsPerSandboxMax),
		emptyInput:  emptyInput,
		forkExec:    syscall.ForkExec,
	}, nil
}

// StartWith makes the Runner start every program with fork instead of
// syscall.ForkExec from now on.
func (r *Runner) StartWith(fork func(program string, argv []string, attributes *syscall.ProcAttr) (int, error)) {
	r.forkExec = fork
}

// Run runs a command to its end and returns its output. ExitCode is 128 + n
// after signal n, and -1 after a timeout, which kills the process group and
// nothing else. When ctx ends first, the process group is killed too.
//
// Run does not wait for background processes that the command leaves behind,
// even if they keep its output open. They continue to run.
func (r *Runner) Run(ctx context.Context, request *Request) (*Result, error) {
	if err := request.Check(); err != nil {
		return nil, err
	}
	if err := r.takeSlot(); err != nil {
		return nil, err
	}
	defer r.giveSlotBack()
	result := &Result{
		stdout: newCapture(r.budget, request.OutputBytesMax),
		stderr: newCapture(r.budget, request.OutputBytesMax),
	}
	process, err := r.start(request, channels{input: r.emptyInput, stdout: result.stdout, stderr: result.stderr})
	if err != nil {
		return nil, err
	}
	end, waitErr := process.wait(ctx, time.Duration(request.TimeoutMilliseconds)*time.Millisecond)
	r.finishStreams(process)
	result.ExitCode, result.TimedOut = end.exitCode, end.timedOut
	if waitErr != nil {
		result.Release()
		return nil, waitErr
	}
	return result, nil
}

func (r *Runner) takeSlot() error {
	select {
	case r.slots <- struct{}{}:
		return nil
	default:
		return wire.Errorf(wire.TooManyRequests, "command limit reached: this sandbox runs %[1]d of %[1]d commands. Wait for one to end", limit.CommandsPerSandboxMax)
	}
}

func (r *Runner) giveSlotBack() { <-r.slots }

// finishStreams reads the last output of a command that has ended. Pipes that a
// background process still holds are kept open for it.
func (r *Runner) finishStreams(ended *process) {
	for _, stream := range []*stream{ended.stdout, ended.stderr} {
		stream.finish()
		<-stream.done
		if stream.held {
			r.held.keep(stream.pipe)
		} else {
			stream.pipe.Close()
		}
	}
}
