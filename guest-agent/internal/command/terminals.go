package command

import (
	"net/http"

	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/terminal"
	"opencomputer/guest-agent/internal/wire"
)

const defaultShell = "/bin/bash"

// Terminals are shells in pseudo-terminals, to which clients attach.
type Terminals struct {
	sessions *Sessions
}

// NewTerminals returns Terminals whose clients share the limit of those of the
// sessions.
func NewTerminals(sessions *Sessions) *Terminals {
	terminals := NewSessions(sessions.runner)
	terminals.attachedCount = sessions.attachedCount
	terminals.runningMax = limit.TerminalsPerSandboxMax
	return &Terminals{sessions: terminals}
}

// TerminalRequest is the body of POST /v1/terminals. Shell is a path, or a
// name that is looked up in PATH; "" is /bin/bash.
type TerminalRequest struct {
	terminal.Size
	Shell            string  `json:"shell"`
	WorkingDirectory *string `json:"workingDirectory"`
}

// terminalEntry is the description of a terminal for clients.
type terminalEntry struct {
	ID string `json:"id"`
	terminal.Size
	Shell                     string `json:"shell"`
	Running                   bool   `json:"running"`
	ExitCode                  *int   `json:"exitCode,omitempty"`
	StartedAtUnixMilliseconds int64  `json:"startedAtUnixMilliseconds"`
	AttachedClients           int    `json:"attachedClients"`
}

func (s *session) terminalEntry() terminalEntry {
	shown := s.entry()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return terminalEntry{
		ID: shown.ID, Size: s.size, Shell: shown.Command[0], Running: shown.Running, ExitCode: shown.ExitCode,
		StartedAtUnixMilliseconds: shown.StartedAtUnixMilliseconds, AttachedClients: shown.AttachedClients,
	}
}

// Start serves POST /v1/terminals.
func (t *Terminals) Start(response http.ResponseWriter, request *http.Request) error {
	var wanted TerminalRequest
	if err := wire.ReadJSON(response, request, &wanted); err != nil {
		return err
	}
	if err := wanted.Size.Check(); err != nil {
		return err
	}
	if wanted.Shell == "" {
		wanted.Shell = defaultShell
	}
	s, err := t.sessions.start(&SessionRequest{
		Request:  Request{Command: []string{wanted.Shell}, WorkingDirectory: wanted.WorkingDirectory},
		terminal: &wanted.Size,
	})
	if err != nil {
		return err
	}
	wire.WriteJSON(response, s.terminalEntry())
	return nil
}

// List serves GET /v1/terminals; with an id, only that terminal.
func (t *Terminals) List(response http.ResponseWriter, request *http.Request) error {
	if request.URL.Query().Has("id") {
		s, err := t.sessions.find(request.URL.Query().Get("id"))
		if err != nil {
			return err
		}
		defer s.unhold()
		wire.WriteJSON(response, s.terminalEntry())
		return nil
	}
	t.sessions.mutex.Lock()
	entries := make([]terminalEntry, 0, len(t.sessions.started))
	for _, s := range t.sessions.started {
		entries = append(entries, s.terminalEntry())
	}
	t.sessions.mutex.Unlock()
	wire.WriteJSON(response, entries)
	return nil
}

// Input serves POST /v1/terminals/input: the body is the terminal's input as it
// arrives. The end of the body does not end the input.
func (t *Terminals) Input(response http.ResponseWriter, request *http.Request) error {
	return t.sessions.Input(response, request)
}

// Output serves GET /v1/terminals/output like Sessions.Output, with all output as
// frameStdout.
func (t *Terminals) Output(response http.ResponseWriter, request *http.Request) error {
	return t.sessions.Output(response, request)
}

// Resize serves POST /v1/terminals/resize.
func (t *Terminals) Resize(response http.ResponseWriter, request *http.Request) error {
	var size terminal.Size
	if err := wire.ReadJSON(response, request, &size); err != nil {
		return err
	}
	if err := size.Check(); err != nil {
		return err
	}
	s, err := t.sessions.find(request.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	defer s.unhold()
	if err := s.resize(size); err != nil {
		return err
	}
	wire.WriteJSON(response, struct{}{})
	return nil
}

// HangUp serves POST /v1/terminals/hang-up: it ends the shell and removes the
// terminal.
func (t *Terminals) HangUp(response http.ResponseWriter, request *http.Request) error {
	s, err := t.sessions.find(request.URL.Query().Get("id"))
	if err != nil {
		return err
	}
	defer s.unhold()
	s.hangUp()
	t.sessions.forget(s)
	wire.WriteJSON(response, struct{}{})
	return nil
}

// DetachAll detaches the clients of every terminal, as Sessions.DetachAll does.
func (t *Terminals) DetachAll() { t.sessions.DetachAll() }
