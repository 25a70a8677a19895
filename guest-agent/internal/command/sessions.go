package command

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// Sessions are the commands that outlive the call that started them. Those
// that have ended are kept up to limits, the newest ones longest.
type Sessions struct {
	runner        *Runner
	attachedCount *attachedCount
	bytesMax      int64
	// How many may run at once; 0 for as many as commands may.
	runningMax int

	mutex sync.Mutex
	byID  map[string]*session
	// In the order of their start, and of their end.
	started, finished []*session
}

// NewSessions makes Sessions whose commands count as the runner's.
func NewSessions(runner *Runner) *Sessions {
	bytesMax := int64(limit.FinishedSessionBytesTotalMax)
	if half := runner.budget.bytesMax / 2; bytesMax > half {
		bytesMax = half
	}
	return &Sessions{runner: runner, attachedCount: &attachedCount{}, bytesMax: bytesMax, byID: map[string]*session{}}
}

func newSessionID(prefix string) (string, error) {
	var octets [12]byte
	if _, err := rand.Read(octets[:]); err != nil {
		return "", fmt.Errorf("cannot make the id of a session: %w", err)
	}
	return prefix + hex.EncodeToString(octets[:]), nil
}

// start begins a session.
func (b *Sessions) start(request *SessionRequest) (*session, error) {
	if err := request.Check(); err != nil {
		return nil, err
	}
	if s, err := b.startedBefore(request); s != nil || err != nil {
		return s, err
	}
	if err := b.runner.takeSlot(); err != nil {
		return nil, err
	}
	s, err := b.open(request)
	if err != nil {
		b.runner.giveSlotBack()
		return nil, err
	}
	s.countAttachedFrom = b.attachedCount
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if err = b.checkRunning(); err == nil {
		err = b.runner.startSession(s, request, func() {
			b.runner.giveSlotBack()
			b.finish(s)
		})
	}
	if err != nil {
		b.runner.giveSlotBack()
		s.letGo()
		return nil, err
	}
	b.byID[s.id] = s
	b.started = append(b.started, s)
	return s, nil
}

// startedBefore is the session that has the request's ID; nil when there is
// none.
func (b *Sessions) startedBefore(request *SessionRequest) (*session, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	s, known := b.byID[request.ID]
	if !known {
		return nil, nil
	}
	if s.fingerprint != request.Fingerprint {
		return nil, wire.Errorf(wire.IdempotencyKeyReused, "the key of session %s was used for another command", s.id)
	}
	return s, nil
}

// checkRunning refuses one more than may run. The mutex is held.
func (b *Sessions) checkRunning() error {
	if running := len(b.started) - len(b.finished); b.runningMax > 0 && running >= b.runningMax {
		return wire.Errorf(wire.TooManyRequests, "the sandbox has %d terminals, the most for one; end some", running)
	}
	return nil
}

// open finds memory for a session, in the place of finished ones if need be.
func (b *Sessions) open(request *SessionRequest) (*session, error) {
	for {
		s, err := b.runner.openSession(request)
		if err == nil || !b.dropOldest() {
			return s, err
		}
	}
}

func (b *Sessions) dropOldest() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if len(b.finished) == 0 {
		return false
	}
	b.drop(b.finished[0])
	return true
}

// finish puts a session among the finished ones and drops the oldest of them
// over the limits, though never this one for its size.
func (b *Sessions) finish(s *session) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.byID[s.id] != s {
		return
	}
	b.finished = append(b.finished, s)
	held := int64(0)
	for _, kept := range b.finished {
		held += kept.bytesHeld()
	}
	for len(b.finished) > limit.FinishedSessionsMax || (held > b.bytesMax && len(b.finished) > 1) {
		held -= b.finished[0].bytesHeld()
		b.drop(b.finished[0])
	}
}

// drop forgets a session. The mutex is held.
func (b *Sessions) drop(s *session) {
	delete(b.byID, s.id)
	b.started = without(b.started, s)
	b.finished = without(b.finished, s)
	s.letGo()
}

func without(list []*session, unwanted *session) []*session {
	for index, s := range list {
		if s == unwanted {
			return append(list[:index:index], list[index+1:]...)
		}
	}
	return list
}

// find returns a session whose memory is held: it is to be let go.
func (b *Sessions) find(id string) (*session, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	s, known := b.byID[id]
	if !known || !s.hold() {
		return nil, wire.Errorf(wire.SessionNotFound, "the sandbox has no session %.80q: it has never been there, or it ended and newer ones took its place", id)
	}
	return s, nil
}

func (b *Sessions) forget(s *session) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.byID[s.id] == s {
		b.drop(s)
	}
}

// DetachAll lets every session go on without the clients that are attached.
// After a restore none of their connections leads anywhere any more, which
// TCP would notice only minutes later.
func (b *Sessions) DetachAll() {
	b.mutex.Lock()
	sessions := append([]*session(nil), b.started...)
	b.mutex.Unlock()
	for _, s := range sessions {
		for _, reader := range s.attached() {
			s.detach(reader)
		}
	}
}

// attachedCount counts the clients of all sessions.
type attachedCount struct{ value atomic.Int64 }

func (c *attachedCount) add() bool {
	if c.value.Add(1) > limit.AttachedClientsMax {
		c.value.Add(-1)
		return false
	}
	return true
}

func (c *attachedCount) remove() { c.value.Add(-1) }
