// Command opencomputer-agent runs inside every sandbox. As the first process
// it boots the guest; with any other process id it is the agent, which serves
// the host's requests for commands and files.
package main

import (
	"fmt"
	"log"
	"os"
	"runtime/debug"

	"opencomputer/guest-agent/internal/account"
	"opencomputer/guest-agent/internal/boot"
	"opencomputer/guest-agent/internal/command"
	"opencomputer/guest-agent/internal/environment"
	"opencomputer/guest-agent/internal/files"
	"opencomputer/guest-agent/internal/freezer"
	"opencomputer/guest-agent/internal/generation"
	"opencomputer/guest-agent/internal/group"
	"opencomputer/guest-agent/internal/hooks"
	"opencomputer/guest-agent/internal/machine"
	"opencomputer/guest-agent/internal/server"
	"opencomputer/guest-agent/internal/tunnel"
)

// version is set by the linker.
var version = "development"

const (
	port                 = 7070
	user                 = "sandbox"
	imageEnvironmentPath = "/etc/opencomputer/environment"
	savedEnvironmentPath = "/run/opencomputer-environment.json"

	// The heap is collected only when it comes near this size, so that an idle
	// guest stays idle and its memory stays as it was saved.
	heapBytesSoftMax = 24 << 20
)

func main() {
	log.SetFlags(0)
	var err error
	if os.Getpid() == 1 {
		err = boot.Run()
	} else {
		err = serve()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func serve() error {
	log.SetPrefix("agent: ")
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(heapBytesSoftMax)
	protection, err := command.Protect(command.Scores{Agent: -1000, Commands: 0})
	if err != nil {
		return err
	}
	store, err := environment.Open(imageEnvironmentPath, savedEnvironmentPath)
	if err != nil {
		return err
	}
	accounts := account.NewBook("/etc/passwd", "/etc/group")
	runner, err := command.NewRunner(store, accounts, user, protection)
	if err != nil {
		return err
	}
	commands, err := group.Open(group.Root)
	if err != nil {
		return err
	}
	runner.StartWith(commands.Fork)
	generations, err := generation.Open(generation.Directory)
	if err != nil {
		return err
	}
	pauser := freezer.New(freezer.Root)
	sessions := command.NewSessions(runner)
	address := fmt.Sprintf(":%d", port)
	httpServer := server.New(address, server.Parts{
		Version:      version,
		Runner:       runner,
		Sessions:     sessions,
		Terminals:    command.NewTerminals(sessions),
		Configurator: machine.NewConfigurator(machine.Parts{Environment: store, Group: commands, Generation: generations, Freezer: pauser}),
		Files:        files.NewService(accounts, user),
		Freezer:      pauser,
		Group:        commands,
		Hooks:        hooks.New(hooks.Directory, runner.Run),
		Tunnels:      tunnel.NewService(port),
	})
	if err := httpServer.ListenAndServe(); err != nil {
		return fmt.Errorf("cannot serve on %s: %w", address, err)
	}
	return nil
}
