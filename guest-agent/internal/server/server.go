// Package server is the agent's HTTP server. packages/protocol/src/wire/agent.ts
// defines its requests and responses.
package server

import (
	"log"
	"net/http"
	"sort"
	"strings"
	"syscall"
	"time"

	"opencomputer/guest-agent/internal/command"
	"opencomputer/guest-agent/internal/connections"
	"opencomputer/guest-agent/internal/files"
	"opencomputer/guest-agent/internal/freezer"
	"opencomputer/guest-agent/internal/group"
	"opencomputer/guest-agent/internal/hooks"
	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/machine"
	"opencomputer/guest-agent/internal/tunnel"
	"opencomputer/guest-agent/internal/wire"
)

// Parts are what the routes call.
type Parts struct {
	Version      string
	Runner       *command.Runner
	Sessions     *command.Sessions
	Terminals    *command.Terminals
	Configurator *machine.Configurator
	Files        *files.Service
	Freezer      *freezer.Freezer
	Tunnels      *tunnel.Service
	Group        *group.Group
	Hooks        *hooks.Hooks
}

type handler func(http.ResponseWriter, *http.Request) error

// New returns the server. From outside only the host can reach it. Processes in
// the guest can too, but gain nothing by it, since they may become root anyway.
func New(address string, parts Parts) *http.Server {
	routes := map[string]map[string]handler{
		"/v1/health":            {"GET": parts.health},
		"/v1/configure":         {"POST": parts.configure},
		"/v1/freeze":            {"POST": parts.freeze},
		"/v1/hooks":             {"POST": parts.runHooks},
		"/v1/limits":            {"POST": parts.limit},
		"/v1/usage":             {"GET": parts.usage},
		"/v1/sync":              {"POST": sync},
		"/v1/exec/run":          {"POST": parts.run},
		"/v1/sessions":          {"GET": parts.Sessions.List, "POST": parts.Sessions.Start},
		"/v1/sessions/kill":     {"POST": parts.Sessions.Kill},
		"/v1/sessions/input":    {"POST": parts.Sessions.Input},
		"/v1/sessions/output":   {"GET": parts.Sessions.Output},
		"/v1/sessions/result":   {"GET": parts.Sessions.Result},
		"/v1/terminals":         {"GET": parts.Terminals.List, "POST": parts.Terminals.Start},
		"/v1/terminals/hang-up": {"POST": parts.Terminals.HangUp},
		"/v1/terminals/input":   {"POST": parts.Terminals.Input},
		"/v1/terminals/output":  {"GET": parts.Terminals.Output},
		"/v1/terminals/resize":  {"POST": parts.Terminals.Resize},
		"/v1/tunnel":            {"GET": parts.Tunnels.Open},
		"/v1/files":             {"GET": parts.Files.Read, "PUT": parts.Files.Write, "DELETE": parts.Files.Remove},
		"/v1/files/list":        {"GET": parts.Files.List},
		"/v1/files/mkdir":       {"POST": parts.Files.MakeDirectory},
	}
	return &http.Server{
		Addr:              address,
		Handler:           dispatch(routes),
		ReadHeaderTimeout: 30 * time.Second,
		MaxHeaderBytes:    limit.HeaderBytesMax,
	}
}

func dispatch(routes map[string]map[string]handler) http.Handler {
	return http.HandlerFunc(func(response http.ResponseWriter, request *http.Request) {
		methods, known := routes[request.URL.Path]
		if !known {
			wire.WriteError(response, wire.Errorf(wire.NotFound, "the guest agent has no route %s", request.URL.Path))
			return
		}
		handle, known := methods[request.Method]
		if !known {
			allowed := make([]string, 0, len(methods))
			for method := range methods {
				allowed = append(allowed, method)
			}
			sort.Strings(allowed)
			response.Header().Set("Allow", strings.Join(allowed, ", "))
			wire.WriteError(response, wire.Errorf(wire.MethodNotAllowed, "%s accepts %s, not %s", request.URL.Path, strings.Join(allowed, ", "), request.Method))
			return
		}
		if err := handle(response, request); err != nil {
			wire.WriteError(response, err)
		}
	})
}

func (p Parts) health(response http.ResponseWriter, _ *http.Request) error {
	wire.WriteJSON(response, struct {
		Version string `json:"version"`
	}{p.Version})
	return nil
}

func (p Parts) configure(response http.ResponseWriter, request *http.Request) error {
	var wanted machine.Request
	if err := wire.ReadJSON(response, request, &wanted); err != nil {
		return err
	}
	own, err := connections.OwnOf(request)
	if err != nil {
		return err
	}
	restart, err := p.Sessions.BeginRestart(wanted.RestartSessions)
	if err != nil {
		return err
	}
	defer restart.Drop()
	configured, err := p.Configurator.Configure(&wanted, own)
	if err != nil {
		return err
	}
	p.Sessions.DetachAll()
	p.Terminals.DetachAll()
	// This comes last: thawed programs must see nothing of the saved machine.
	if wanted.Thaw {
		if err := p.Freezer.Thaw(); err != nil {
			return err
		}
		p.Group.Suspend(false)
	}
	if err := restart.Start(); err != nil {
		return err
	}
	configured.HasHooks = wanted.Thaw && p.Hooks.Exist()
	wire.WriteJSON(response, configured)
	return nil
}

func (p Parts) freeze(response http.ResponseWriter, _ *http.Request) error {
	// Commands that start from now on must run while the group is frozen.
	p.Group.Suspend(true)
	if err := p.Freezer.Freeze(); err != nil {
		p.Group.Suspend(false)
		return err
	}
	response.WriteHeader(http.StatusNoContent)
	return nil
}

// runHooks responds when the hooks have ended, or their time is over.
func (p Parts) runHooks(response http.ResponseWriter, request *http.Request) error {
	var wanted struct {
		Environment map[string]string `json:"environment"`
	}
	if err := wire.ReadJSON(response, request, &wanted); err != nil {
		return err
	}
	wire.WriteJSON(response, struct {
		Failure string `json:"failure"`
	}{p.Hooks.Run(request.Context(), wanted.Environment)})
	return nil
}

func (p Parts) limit(response http.ResponseWriter, request *http.Request) error {
	var wanted group.Limits
	if err := wire.ReadJSON(response, request, &wanted); err != nil {
		return err
	}
	outcome, err := p.Group.Limit(wanted)
	if err != nil {
		return err
	}
	wire.WriteJSON(response, outcome)
	return nil
}

func (p Parts) usage(response http.ResponseWriter, _ *http.Request) error {
	usage, err := p.Group.Usage()
	if err != nil {
		return err
	}
	wire.WriteJSON(response, usage)
	return nil
}

// sync responds when everything that was written is on the disk (sync(2)).
func sync(response http.ResponseWriter, _ *http.Request) error {
	syscall.Sync()
	response.WriteHeader(http.StatusNoContent)
	return nil
}

func (p Parts) run(response http.ResponseWriter, request *http.Request) error {
	var wanted command.Request
	if err := wire.ReadJSON(response, request, &wanted); err != nil {
		return err
	}
	result, err := p.Runner.Run(request.Context(), &wanted)
	if err != nil {
		return err
	}
	defer result.Release()
	response.Header().Set("Content-Type", "application/json")
	if err := result.WriteJSON(response); err != nil {
		log.Printf("the client disconnected before the response was complete: %v", err)
	}
	return nil
}
