package command

import (
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// endWaitMax is how long the command of a session may take to end after it was
// killed.
const endWaitMax = 10 * time.Second

// Restart is a restart of sessions between its two steps: their commands have
// been killed, and have to be started again.
type Restart struct {
	sessions *Sessions
	old      []*session
}

// BeginRestart kills the commands of these sessions with their process groups;
// frozen ones do nothing more. If one of the sessions does not exist, none is
// killed. The caller must call Start or Drop afterwards.
func (b *Sessions) BeginRestart(ids []string) (*Restart, error) {
	if len(ids) > limit.RestartedSessionsMax {
		return nil, wire.Errorf(wire.InvalidRequest, "at most %d sessions can be restarted, got %d", limit.RestartedSessionsMax, len(ids))
	}
	restart := &Restart{sessions: b}
	for _, id := range ids {
		s, err := b.find(id)
		if err != nil {
			restart.Drop()
			return nil, err
		}
		restart.old = append(restart.old, s)
		if s.terminal != nil {
			restart.Drop()
			return nil, wire.Errorf(wire.InvalidRequest, "session %s is a terminal, which has no command that could be started again", id)
		}
	}
	for _, s := range restart.old {
		if err := s.signal(syscall.SIGKILL); err != nil {
			restart.Drop()
			return nil, err
		}
	}
	return restart, nil
}

// Drop leaves the sessions as they are.
func (r *Restart) Drop() {
	for _, s := range r.old {
		s.unhold()
	}
	r.old = nil
}

// Start starts every command again, with the id of its session and the current
// variables of the sandbox. Its earlier output is dropped.
func (r *Restart) Start() error {
	defer r.Drop()
	for _, s := range r.old {
		select {
		case <-s.done:
		case <-time.After(endWaitMax):
			return wire.Errorf(wire.InvalidRequest, "session %s cannot be restarted: its command was killed and has not ended after %s", s.id, endWaitMax)
		}
		r.sessions.forget(s)
		request := *s.request
		request.ID = s.id
		if _, err := r.sessions.start(&request); err != nil {
			return err
		}
	}
	return nil
}
