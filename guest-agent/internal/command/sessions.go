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

// Sessions are commands that outlive the request which started them. Those that
// have ended are kept up to limits, the newest ones longest.
type Sessions struct {
	runner        *Runner
	attachedCount *attachedCount
	bytesMax      int64
	// How many may run at once; 0 for the limit of commands.
	runningMax int

	mutex sync.Mutex
	byID  map[string]*session
	// In the order in which they started, and in which they ended.
	started, finished []*session
}

// NewSessions returns Sessions whose commands count towards the runner's limit.
func NewSessions(runner *Runner) *Sessions {
	bytesMax := int64(limit.FinishedSessionBytesTotalMax)
	if half := runner.budget.bytesMax / 2; bytesMax > half {
		bytesMax = half
	}
	return &Sessions{runner: runner, attachedCount: &attachedCount{}, bytesMax: bytesMax, byID: map[string]*session{}}
}

func newSessionID(prefix string) (string, error) {
	var data [12]byte
	if _, err := rand.Read(data[:]); err != nil {
		return "", fmt.Errorf("cannot create the id of a session: %w", err)
	}
	return prefix + hex.EncodeToString(data[:]), nil
}

// start starts a session, or returns the one that has the request's ID.
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
		s.unhold()
		return nil, err
	}
	b.byID[s.id] = s
	b.started = append(b.started, s)
	return s, nil
}

// startedBefore returns the session that has the request's ID; nil when none
// has.
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

// checkRunning returns an error when no further session may run. The caller holds
// the mutex.
func (b *Sessions) checkRunning() error {
	if running := len(b.started) - len(b.finished); b.runningMax > 0 && running >= b.runningMax {
		return wire.Errorf(wire.TooManyRequests, "terminal limit reached: this sandbox has %d of %d terminals. End some", running, b.runningMax)
	}
	return nil
}

// open creates a session, and drops finished ones if their memory is needed.
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

// finish adds a session to the finished ones and drops the oldest of them over
// the limits, but never this one because of its size.
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

// drop removes a session. The caller holds the mutex.
func (b *Sessions) drop(s *session) {
	delete(b.byID, s.id)
	b.started = without(b.started, s)
	b.finished = without(b.finished, s)
	s.unhold()
}

func without(list []*session, unwanted *session) []*session {
	for index, s := range list {
		if s == unwanted {
			return append(list[:index:index], list[index+1:]...)
		}
	}
	return list
}

// find returns a session and holds its memory, until the caller calls unhold.
func (b *Sessions) find(id string) (*session, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	s, known := b.byID[id]
	if !known || !s.hold() {
		return nil, wire.Errorf(wire.SessionNotFound, "the sandbox has no session %.80q: it never existed, or it ended and was removed for newer ones", id)
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

// DetachAll detaches the clients of every session, which continues to run. After
// a restore all of their connections are dead, which TCP would notice only
// minutes later.
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
