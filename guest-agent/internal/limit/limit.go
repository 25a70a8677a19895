// Package limit holds every limit that a caller can reach. Those that the whole
// product shares are in packages/protocol/src/api/limits.ts with the error that
// each gives; a test compares the two.
package limit

const (
	// CPUCountMax is the most CPUs that a guest can have.
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

	// BodyBytesMax limits a JSON body. The API accepts bodies of 1 MiB, which
	// may grow when the host writes the same text with more escapes.
	BodyBytesMax = 8 * 1024 * 1024
	// HeaderBytesMax limits the head of a request; over it the HTTP server
	// responds with 431.
	HeaderBytesMax = 32 * 1024
	// ArgumentBytesMax is the limit of Linux for one argument or one variable
	// (MAX_ARG_STRLEN, without its NUL).
	ArgumentBytesMax = 32*4096 - 1
	// HeldPipesMax is how many output pipes of background processes the agent
	// keeps open after their commands have ended.
	HeldPipesMax = 512
	// ClosedConnectionsMax is how many connections are closed when a machine
	// was restored. The network resets any others when they send.
	ClosedConnectionsMax = 65536
	// HostsFileBytesMax is the largest /etc/hosts whose other lines are kept when
	// the host name changes. A larger file is replaced.
	HostsFileBytesMax = 1024 * 1024
)
