// Package command runs the commands of a sandbox.
package command

import (
	"strings"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// Request is the body of POST /v1/exec/run. Command is an argv. Without a
// WorkingDirectory the command starts in the home directory of the sandbox's
// user.
type Request struct {
	Command             []string          `json:"command"`
	Environment         map[string]string `json:"environment"`
	WorkingDirectory    *string           `json:"workingDirectory"`
	TimeoutMilliseconds int64             `json:"timeoutMilliseconds"`
	OutputBytesMax      int64             `json:"outputBytesMax"`
	AsRoot              bool              `json:"asRoot"`
}

// Check returns an error for a request with which no command can be started.
func (r *Request) Check() error {
	if r.TimeoutMilliseconds < 1 || r.TimeoutMilliseconds > limit.CommandTimeoutSecondsMax*1000 {
		return wire.Errorf(wire.InvalidRequest, "timeoutMilliseconds must be from 1 to %d, got %d", limit.CommandTimeoutSecondsMax*1000, r.TimeoutMilliseconds)
	}
	if r.OutputBytesMax < 1 || r.OutputBytesMax > limit.CommandOutputBytesMax {
		return wire.Errorf(wire.InvalidRequest, "outputBytesMax must be from 1 to %d, got %d", limit.CommandOutputBytesMax, r.OutputBytesMax)
	}
	return r.checkCommand()
}

func (r *Request) checkCommand() error {
	if len(r.Command) == 0 || r.Command[0] == "" {
		return wire.Errorf(wire.InvalidRequest, "command must have a program as its first element")
	}
	if len(r.Command) > limit.CommandArgumentsMax+3 {
		return wire.Errorf(wire.InvalidRequest, "command may have at most %d arguments, got %d", limit.CommandArgumentsMax, len(r.Command))
	}
	for index, argument := range r.Command {
		if strings.IndexByte(argument, 0) >= 0 {
			return wire.Errorf(wire.InvalidRequest, "command[%d] must not contain NUL", index)
		}
		if len(argument) > limit.ArgumentBytesMax {
			return wire.Errorf(wire.InvalidRequest, "command[%d] must have at most %d bytes, the limit of Linux for one argument, got %d: put a longer script into a file", index, limit.ArgumentBytesMax, len(argument))
		}
	}
	if err := CheckEnvironment(r.Environment); err != nil {
		return err
	}
	if r.WorkingDirectory != nil && strings.IndexByte(*r.WorkingDirectory, 0) >= 0 {
		return wire.Errorf(wire.InvalidRequest, "workingDirectory must not contain NUL")
	}
	return nil
}

// CheckEnvironment returns an error for variables that no process can have.
func CheckEnvironment(variables map[string]string) error {
	for name, value := range variables {
		if name == "" || len(name) > limit.EnvironmentNameCharactersMax || strings.ContainsAny(name, "=\x00") {
			return wire.Errorf(wire.InvalidRequest, "environment has the name %.140q: expected 1 to %d characters without = and NUL", name, limit.EnvironmentNameCharactersMax)
		}
		if strings.IndexByte(value, 0) >= 0 {
			return wire.Errorf(wire.InvalidRequest, "environment variable %s must not contain NUL", name)
		}
		if length := len(name) + 1 + len(value); length > limit.ArgumentBytesMax {
			return wire.Errorf(wire.InvalidRequest, "environment variable %s must have at most %d bytes with its name, the limit of Linux, got %d", name, limit.ArgumentBytesMax, length)
		}
	}
	return nil
}
