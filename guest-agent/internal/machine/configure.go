// Package machine makes a restored guest distinct from others of the same memory.
package machine

import (
	"encoding/base64"
	"fmt"
	"log"
	"sync"

	"opencomputer/guest-agent/internal/command"
	"opencomputer/guest-agent/internal/connections"
	"opencomputer/guest-agent/internal/environment"
	"opencomputer/guest-agent/internal/freezer"
	"opencomputer/guest-agent/internal/generation"
	"opencomputer/guest-agent/internal/group"
	"opencomputer/guest-agent/internal/limit"
	"opencomputer/guest-agent/internal/wire"
)

// Request is the body of POST /v1/configure.
type Request struct {
	TimeUnixMilliseconds int64             `json:"timeUnixMilliseconds"`
	EntropyBase64        string            `json:"entropyBase64"`
	Hostname             string            `json:"hostname"`
	MachineID            string            `json:"machineId"`
	Environment          map[string]string `json:"environment"`
	CPUCount             int               `json:"cpuCount"`
	// Generation differs for each machine restored from one memory; empty keeps
	// the current one.
	Generation string `json:"generation"`
	// RestartSessions are killed before anything is thawed, and started again at
	// the end, both by the caller of Configure.
	RestartSessions []string `json:"restartSessions"`
	// Limits of the commands; nil leaves them as they are.
	Limits           *group.Limits `json:"limits"`
	CloseConnections bool          `json:"closeConnections"`
	// Thaw is done by the caller of Configure, after everything else.
	Thaw bool `json:"thaw"`
}

// Configured is what the guest has after it was configured. MemoryMB is what the
// kernel manages: the machine's memory less what the kernel reserves for itself.
type Configured struct {
	CPUCount int `json:"cpuCount"`
	MemoryMB int `json:"memoryMB"`
	// Limits is the outcome of the request's limits.
	Limits *group.Outcome `json:"limits,omitempty"`
	// HasHooks is set by the caller of Configure, after the machine is thawed.
	HasHooks bool `json:"hasHooks"`
}

// Configurator applies one Request at a time.
type Configurator struct {
	Parts
	mutex sync.Mutex
}

// Parts are what a Configurator changes in addition to the kernel's state.
type Parts struct {
	Environment *environment.Store
	// Group holds the commands and limits them.
	Group      *group.Group
	Generation *generation.Publisher
	Freezer    *freezer.Freezer
}

// NewConfigurator returns a Configurator of these parts.
func NewConfigurator(parts Parts) *Configurator {
	return &Configurator{Parts: parts}
}

// Configure applies the request, which arrived on the connection own. It delays
// the first command after a restore, and its code is not in any cache of the
// processor yet, so it starts no process. It is idempotent, except that it closes
// connections that were opened since.
func (c *Configurator) Configure(request *Request, own connections.Own) (Configured, error) {
	entropy, err := request.check()
	if err != nil {
		return Configured{}, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	// This comes first: programs that run meanwhile still draw the random
	// numbers of the saved machine.
	if err := addEntropy(entropy); err != nil {
		return Configured{}, err
	}
	if err := c.renew(request.Generation); err != nil {
		return Configured{}, err
	}
	if err := setClock(request.TimeUnixMilliseconds); err != nil {
		return Configured{}, err
	}
	if request.CloseConnections {
		if _, err := connections.CloseRemote(own); err != nil {
			return Configured{}, fmt.Errorf("cannot close the connections of the saved machine: %w", err)
		}
	}
	if err := setIdentity(rootDirectory, request.Hostname, request.MachineID); err != nil {
		return Configured{}, err
	}
	if err := c.Environment.Configure(request.Environment); err != nil {
		return Configured{}, err
	}
	cpuCount, err := bringProcessorsOnline(kernelProcessors, request.CPUCount, plugWaitMax)
	if err != nil {
		return Configured{}, err
	}
	memoryMB, err := managedMemoryMB()
	if err != nil {
		return Configured{}, err
	}
	configured := Configured{CPUCount: cpuCount, MemoryMB: memoryMB}
	if request.Limits != nil {
		outcome, err := c.Group.Limit(*request.Limits)
		if err != nil {
			return Configured{}, err
		}
		configured.Limits = &outcome
	}
	return configured, nil
}

// renew makes programs of the saved machine draw other random numbers than those
// of every other machine of the same memory. A failure to signal a program is
// only logged, since only its user can cause it.
func (c *Configurator) renew(id string) error {
	if id == "" {
		return nil
	}
	changed, err := c.Generation.Publish(id)
	if err != nil || !changed {
		return err
	}
	if err := generation.Notify("/proc", c.Freezer); err != nil {
		log.Print(err)
	}
	return nil
}

// check validates the request and returns its entropy.
func (r *Request) check() ([]byte, error) {
	if r.TimeUnixMilliseconds < 0 {
		return nil, wire.Errorf(wire.InvalidRequest, "timeUnixMilliseconds must not be negative, got %d", r.TimeUnixMilliseconds)
	}
	entropy, err := base64.StdEncoding.DecodeString(r.EntropyBase64)
	if err != nil {
		return nil, wire.Errorf(wire.InvalidRequest, "entropyBase64 is not base64: %v", err)
	}
	if len(entropy) < entropyBytesMin || len(entropy) > entropyBytesMax {
		return nil, wire.Errorf(wire.InvalidRequest, "entropyBase64 must encode %d to %d bytes, got %d", entropyBytesMin, entropyBytesMax, len(entropy))
	}
	if !isHostname(r.Hostname) {
		return nil, wire.Errorf(wire.InvalidRequest, "hostname must be 1 to 63 of a-z, 0-9 and -, got %.80q", r.Hostname)
	}
	if !isMachineID(r.MachineID) {
		return nil, wire.Errorf(wire.InvalidRequest, "machineId must be 32 lowercase hexadecimal digits, got %.80q", r.MachineID)
	}
	if r.CPUCount < 1 || r.CPUCount > limit.CPUCountMax {
		return nil, wire.Errorf(wire.InvalidRequest, "cpuCount must be from 1 to %d, got %d", limit.CPUCountMax, r.CPUCount)
	}
	if r.Generation != "" && !generation.IsID(r.Generation) {
		return nil, wire.Errorf(wire.InvalidRequest, "generation must be 32 lowercase hexadecimal digits, got %.80q", r.Generation)
	}
	return entropy, command.CheckEnvironment(r.Environment)
}
