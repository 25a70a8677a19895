package command

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// ownVariablesBytesMax is room for the variables of the image and of the account,
// in addition to the limit of those that a caller sets.
const ownVariablesBytesMax = 16 * 1024

// process is a running command, the leader of a session and of a process group.
type process struct {
	id             int
	stdout, stderr *stream

	// Held while the leader is reaped and while its group is signalled.
	mutex  sync.Mutex
	reaped bool
}

// channels are the input and output of a command. The caller still owns input.
type channels struct {
	input          *os.File
	stdout, stderr sink
	// A terminal instead of all three; the program is then a login shell.
	terminal *os.File
}

// start starts the command and returns when its program is loaded.
func (r *Runner) start(request *Request, ends channels) (*process, error) {
	sandbox, err := r.accounts.Find(r.user)
	if err != nil {
		return nil, err
	}
	user, home := sandbox, sandbox.Home
	if request.AsRoot {
		user = account.Root
	}
	directory, err := findWorkingDirectory(request.WorkingDirectory, home)
	if err != nil {
		return nil, err
	}
	own := accountVariables(user)
	if ends.terminal != nil {
		own["TERM"] = terminalType
	}
	variables := r.environment.For(own, request.Environment)
	if err := checkEnvironment(variables); err != nil {
		return nil, err
	}
	program, err := findProgram(request.Command[0], variables["PATH"], directory)
	if err != nil {
		return nil, err
	}
	if ends.terminal != nil {
		variables["SHELL"], variables[loginPathVariable] = program, variables["PATH"]
		started, err := r.startShell(program, ends.terminal, processAttributes(user, directory, variables))
		if err != nil {
			return nil, explainStart(request.Command[0], directory, user, err)
		}
		return started, nil
	}
	stdout, stdoutEnd, err := openStream(ends.stdout)
	if err != nil {
		return nil, err
	}
	defer syscall.Close(stdoutEnd)
	stderr, stderrEnd, err := openStream(ends.stderr)
	if err != nil {
		stdout.pipe.Close()
		return nil, err
	}
	defer syscall.Close(stderrEnd)

	attributes := processAttributes(user, directory, variables)
	attributes.Files = []uintptr{ends.input.Fd(), uintptr(stdoutEnd), uintptr(stderrEnd)}
	id, err := r.fork(program, request.Command, attributes)
	if err != nil {
		stdout.pipe.Close()
		stderr.pipe.Close()
		return nil, explainStart(request.Command[0], directory, user, err)
	}
	go stdout.read()
	go stderr.read()
	return &process{id: id, stdout: stdout, stderr: stderr}, nil
}

func processAttributes(user account.Account, directory string, variables map[string]string) *syscall.ProcAttr {
	return &syscall.ProcAttr{
		Dir: directory,
		Env: environmentList(variables),
		Sys: &syscall.SysProcAttr{
			Setsid: true,
			Credential: &syscall.Credential{
				Uid: user.UserID, Gid: user.GroupID, Groups: user.GroupIDs,
			},
		},
	}
}

// fork starts the program. A script without an interpreter line is run by the
// shell, as execvp(3) does.
func (r *Runner) fork(program string, argv []string, attributes *syscall.ProcAttr) (int, error) {
	id, err := r.protection.forkWithout(r.forkExec, program, argv, attributes)
	if errors.Is(err, syscall.ENOEXEC) {
		argv = append([]string{"/bin/sh", program}, argv[1:]...)
		return r.protection.forkWithout(r.forkExec, "/bin/sh", argv, attributes)
	}
	return id, err
}

func explainStart(program, directory string, user account.Account, err error) error {
	switch {
	case errors.Is(err, syscall.ENOENT):
		return wire.Errorf(wire.CommandNotFound, "%s: the file exists, but its interpreter does not", program)
	case errors.Is(err, syscall.EACCES):
		return wire.Errorf(wire.CommandNotFound, "%s: user %s may not run it, or may not enter the working directory %s", program, user.Name, directory)
	case errors.Is(err, syscall.E2BIG):
		return wire.Errorf(wire.InvalidRequest, "%s: the arguments and the environment together are over the limit of Linux, 2 MiB. Write large arguments to a file, and pass its path", program)
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return wire.Errorf(wire.TooManyRequests, "%s: the sandbox has no room for another process: %v", program, err)
	default:
		return fmt.Errorf("cannot start %s: %w", program, err)
	}
}

func accountVariables(user account.Account) map[string]string {
	return map[string]string{"HOME": user.Home, "USER": user.Name, "LOGNAME": user.Name}
}

// checkEnvironment returns an error for variables that leave too little of the
// limit of Linux for the command's arguments, and for variables that the command
// adds for its children.
func checkEnvironment(variables map[string]string) error {
	bytes := 0
	for name, value := range variables {
		bytes += len(name) + len(value) + len("=\x00")
	}
	if bytes <= limit.EnvironmentBytesTotalMax+ownVariablesBytesMax {
		return nil
	}
	return wire.Errorf(wire.LimitExceeded, "envs: the variables of the sandbox and of the command together must be at most %d bytes with their names, got %d. Pass fewer, or write large values to files", limit.EnvironmentBytesTotalMax, bytes)
}

func environmentList(variables map[string]string) []string {
	list := make([]string, 0, len(variables))
	for name, value := range variables {
		list = append(list, name+"="+value)
	}
	return list
}
