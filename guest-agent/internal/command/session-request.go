package command

import (
	"regexp"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/terminal"
	"opencomputer/guest-agent/internal/wire"
)

// SessionRequest is the body of POST /v1/sessions. TimeoutMilliseconds 0 means
// no limit; OutputBytesMax 0 keeps only the output that can be replayed.
// MaxRunAfterDisconnectMilliseconds starts when the last client disconnects; 0
// means no limit.
type SessionRequest struct {
	Request
	// Shell runs the only element of Command as a script.
	Shell bool `json:"shell"`
	// Input gives the command an input to which clients can write.
	Input                             bool  `json:"input"`
	MaxRunAfterDisconnectMilliseconds int64 `json:"maxRunAfterDisconnectMilliseconds"`
	// ID is the id of the new session; a random one when it is empty. If a
	// session with that id exists, it is returned, provided that it was started
	// with the same Fingerprint.
	ID          string `json:"id"`
	Fingerprint string `json:"fingerprint"`
	// terminal runs the only element of Command as the shell of a terminal of
	// that size.
	terminal *terminal.Size
}

var sessionID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Check returns an error for a request with which no session can be started.
func (r *SessionRequest) Check() error {
	if r.Shell && len(r.Command) != 1 {
		return wire.Errorf(wire.InvalidRequest, "command of a shell must be one script, got %d elements", len(r.Command))
	}
	const most = limit.CommandTimeoutSecondsMax * 1000
	if r.TimeoutMilliseconds < 0 || r.TimeoutMilliseconds > most {
		return wire.Errorf(wire.InvalidRequest, "timeoutMilliseconds must be from 0 to %d, got %d", most, r.TimeoutMilliseconds)
	}
	if r.MaxRunAfterDisconnectMilliseconds < 0 || r.MaxRunAfterDisconnectMilliseconds > most {
		return wire.Errorf(wire.InvalidRequest, "maxRunAfterDisconnectMilliseconds must be from 0 to %d, got %d", most, r.MaxRunAfterDisconnectMilliseconds)
	}
	if r.OutputBytesMax < 0 || r.OutputBytesMax > limit.CommandOutputBytesMax {
		return wire.Errorf(wire.InvalidRequest, "outputBytesMax must be from 0 to %d, got %d", limit.CommandOutputBytesMax, r.OutputBytesMax)
	}
	if r.ID != "" && !sessionID.MatchString(r.ID) {
		return wire.Errorf(wire.InvalidRequest, "id must be 1 to 64 letters, digits, _ and -, got %.80q", r.ID)
	}
	if len(r.Fingerprint) > 64 {
		return wire.Errorf(wire.InvalidRequest, "fingerprint must have at most 64 characters, got %d", len(r.Fingerprint))
	}
	return r.Request.checkCommand()
}

// argv returns the argv that is run.
func (r *SessionRequest) argv() []string {
	if r.Shell {
		return []string{"/bin/bash", "-c", r.Command[0]}
	}
	return r.Command
}

// shown returns the command as it is listed: whole arguments up to a limit.
func (r *SessionRequest) shown() []string {
	left := limit.SessionCommandBytesShownMax
	for index, argument := range r.Command {
		if left -= len(argument); left < 0 {
			if index == 0 {
				return []string{argument[:limit.SessionCommandBytesShownMax]}
			}
			return r.Command[:index:index]
		}
	}
	return r.Command
}
