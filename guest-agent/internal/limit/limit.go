// Package limit holds every bound that a caller can run into. Those that the
// whole product shares are in packages/protocol/src/limits.ts with the error
// that each gives; a test holds the two together.
package limit

const (
	// CPUs that a guest can be given.
	CPUCountMax = 8

	CommandArgumentsMax          = 4096
	CommandTimeoutSecondsMax     = 24 * 3600
	CommandOutputBytesMax        = 32 * 1024 * 1024
	CommandsPerSandboxMax        = 256
	SessionReplayBytesMax        = 1024 * 1024
	FinishedSessionsMax          = 64
	FinishedSessionBytesTotalMax = 128 * 1024 * 1024
	AttachedClientsMax           = 64
	TerminalsPerSandboxMax       = 32
	TerminalSizeMax              = 1000
	TerminalReplayBytesMax       = 256 * 1024
	SessionCommandBytesShownMax  = 16 * 1024
	SessionResultWaitSecondsMax  = 10
	PathBytesMax                 = 4096
	DirectoryEntriesMax          = 100_000
	EnvironmentNameCharactersMax = 128
	EnvironmentBytesTotalMax     = 1024 * 1024
	TunnelsPerSandboxMax         = 512
	TunnelHalfOpenSecondsMax     = 30
	RestartedSessionsMax         = 16
	ForkHooksMax                 = 64
	ForkHooksTimeoutSecondsMax   = 30
	ForkHooksFailureBytesMax     = 4096

	// BodyBytesMax bounds a JSON body. The API takes bodies of 1 MiB, which
	// may grow when the host writes the same text with more escapes.
	BodyBytesMax = 8 * 1024 * 1024
	// HeaderBytesMax bounds the head of a request: 431 from the HTTP server.
	HeaderBytesMax = 32 * 1024
	// ArgumentBytesMax is what Linux takes as one argument or one variable
	// (MAX_ARG_STRLEN, without its NUL).
	ArgumentBytesMax = 32*4096 - 1
	// HeldPipesMax is how many output pipes of background processes the agent
	// keeps open after their commands have ended.
	HeldPipesMax = 512
	// ClosedConnectionsMax is how many connections are ended when a machine
	// was restored. The network resets any beyond as soon as they send.
	ClosedConnectionsMax = 65536
	// HostsFileBytesMax is how much of /etc/hosts a new host name leaves as it
	// is. A larger file is written anew.
	HostsFileBytesMax = 1024 * 1024
)
