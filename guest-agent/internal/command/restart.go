package command

import (
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// How long the command of a session has to end once it was killed.
const endWaitMax = 10 * time.Second

// Restart is a change of sessions between its two steps: their commands have
// been killed, and are to be started again.
type Restart struct {
	sessions *Sessions
	old      []*session
}

// BeginRestart kills the commands of these sessions with their process groups; those
// that are frozen do nothing more. When there is no such session, none is
// killed. Start or Drop is to follow.
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
			return nil, wire.Errorf(wire.InvalidRequest, "session %s is a terminal, which has no command to start again", id)
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
		s.letGo()
	}
	r.old = nil
}

// Start starts every command again, under the id of its session and with the
// variables of the sandbox as they are now. What it wrote before is dropped.
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
