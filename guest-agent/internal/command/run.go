package command

import (
	"context"
	"fmt"
	"os"
	"time"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/environment"
	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// Runner runs commands, each in a session and process group of its own.
type Runner struct {
	environment *environment.Store
	accounts    *account.Book
	user        string
	protection  *Protection
	budget      *budget
	held        *heldPipes
	slots       chan struct{}
	emptyInput  *os.File
}

// NewRunner makes a Runner whose commands run as user.
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
	}, nil
}

// Run runs a command to its end and returns what it said. ExitCode is 128 + n
// after signal n, and -1 after a time-out, which also kills the process group
// and nothing else. When ctx ends first, the process group is killed too.
//
// A background process that the command left behind, and that may hold its
// output open, is not waited for and lives on.
func (r *Runner) Run(ctx context.Context, request *Request) (*Result, error) {
	if err := request.Check(); err != nil {
		return nil, err
	}
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	default:
		return nil, wire.Errorf(wire.TooManyRequests, "the sandbox runs %d commands already; wait for one to end", limit.CommandsPerSandboxMax)
	}
	sandbox, err := r.accounts.Find(r.user)
	if err != nil {
		return nil, err
	}
	user := sandbox
	if request.AsRoot {
		user = account.Root
	}
	process, err := r.start(request, user, sandbox.Home)
	if err != nil {
		return nil, err
	}
	end, waitErr := process.wait(ctx, time.Duration(request.TimeoutMilliseconds)*time.Millisecond)
	for _, stream := range []*stream{process.stdout, process.stderr} {
		stream.finish()
		<-stream.done
		if stream.held {
			r.held.keep(stream.pipe)
		} else {
			stream.pipe.Close()
		}
	}
	result := &Result{ExitCode: end.exitCode, TimedOut: end.timedOut, stdout: process.stdout.capture, stderr: process.stderr.capture}
	if waitErr != nil {
		result.Release()
		return nil, waitErr
	}
	return result, nil
}
