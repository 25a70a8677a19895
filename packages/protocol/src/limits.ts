/**
 * Every bound that a caller or a guest can run into, in one place.
 *
 * Names end in their unit. The comment gives the error that going over it
 * produces: an API error code, or what the proxy does to the request.
 */
export const limits = {
  /** Body of an API request that is JSON, unless the operator sets another. 413 `body_too_large`. */
  apiBodyBytesMax: 1024 * 1024,
  /** Head of an API request, unless the operator sets another. 431 `header_too_large`. */
  apiHeaderBytesMax: 32 * 1024,

  /** API keys of an org. 400 `limit_exceeded`. */
  apiKeysPerOrgMax: 100,

  /** Secret stores of an org, besides those of its projects. 400 `limit_exceeded`. */
  secretStoresPerOrgMax: 1000,
  /** Projects of an org. 400 `limit_exceeded`. */
  projectsPerOrgMax: 1000,

  /** Size of one secret value. 400 `invalid_request`. */
  secretValueBytesMax: 64 * 1024,
  /** Secrets in one store. 400 `limit_exceeded`. */
  secretsPerStoreMax: 200,
  /** Patterns in an allowlist or in a secret's host limits. 400 `invalid_request`. */
  hostPatternsMax: 200,
  /** Ranges that an operator closes to all sandboxes. The service does not start. */
  egressDeniedRangesMax: 256,
  /** Placements of one secret, or of a store's default. 400 `invalid_request`. */
  placementsMax: 32,
  /**
   * Values that one secret of a sandbox or checkpoint had before and that are
   * still searched for in responses; the oldest is dropped.
   */
  formerValuesPerSecretMax: 16,
  /** Former values of one sandbox or checkpoint together, encrypted; the oldest is dropped. */
  formerValuesBytesTotalMax: 8 * 1024 * 1024,
  /** How long a former value is searched for. */
  formerValueSecondsMax: 90 * 24 * 3600,
  /** Length of a store or project name. 400 `invalid_request`. */
  objectNameCharactersMax: 128,

  /** Plain environment variables of a sandbox or a command. 400 `invalid_request`. */
  environmentVariablesMax: 200,
  /** One plain environment value: Linux takes 128 KiB with its name. 400 `invalid_request`. */
  environmentValueBytesMax: 127 * 1024,
  /**
   * All variables of a sandbox or of one of its commands, each with its name, `=` and NUL:
   * half of the 2 MiB that Linux takes, the other half is for arguments. 400 `limit_exceeded`.
   */
  environmentBytesTotalMax: 1024 * 1024,
  /** Metadata entries of a sandbox. 400 `invalid_request`. */
  metadataEntriesMax: 50,
  /** One metadata key or value. 400 `invalid_request`. */
  metadataCharactersMax: 1024,
  /** Tags of a sandbox. 400 `invalid_request`. */
  tagsPerSandboxMax: 50,
  /** Key of a tag. 400 `invalid_request`. */
  tagKeyCharactersMax: 128,
  /** Value of a tag. 400 `invalid_request`. */
  tagValueCharactersMax: 256,
  /** Idle time-out: one year. 400 `invalid_request`. */
  idleTimeoutSecondsMax: 365 * 24 * 3600,

  cpuCountMin: 1,
  cpuCountMax: 8,
  memoryMBMin: 256,
  memoryMBMax: 16384,
  /** Least CPU time that the commands of a sandbox can be limited to, 100 for each CPU. 400 `invalid_request`. */
  cpuPercentMin: 5,
  /** Processes and threads of a sandbox's commands, for each MB of its memory. `fork` fails. */
  processesPerMB: 4,
  processCountMin: 1024,
  processCountMax: 16384,
  /** The disk of the base image: what a sandbox has unless it asks for more. 400 `invalid_request`. */
  diskMBMin: 20480,
  diskMBMax: 262144,

  /** Connections of one sandbox to the metadata service. Further ones are closed. */
  metadataConnectionsPerSandboxMax: 8,
  /** Requests of one sandbox to the metadata service in a second. 429 to the guest. */
  metadataRequestsPerSecondMax: 50,
  /** Body of a request to the metadata service. 413 to the guest. */
  metadataBodyBytesMax: 1024,
  /** A request to the metadata service must have arrived by then. The connection is closed. */
  metadataRequestTimeoutSeconds: 5,

  /** Checkpoints with memory of one sandbox. 409 `limit_reached`. */
  fullCheckpointsPerSandboxMax: 10,
  /** Checkpoints of the disk alone of one sandbox. 409 `limit_reached`. */
  diskOnlyCheckpointsPerSandboxMax: 100,
  /** Sandboxes that an org has, running and hibernated. 409 `limit_reached`. */
  sandboxesKeptPerOrgMax: 5_000,
  /** Checkpoints of an org, those of killed sandboxes too. 409 `limit_reached`. */
  checkpointsPerOrgMax: 5_000,
  /** Patches of one checkpoint. 400 `limit_exceeded`. */
  patchesPerCheckpointMax: 100,
  /** One patch may run this long in a fork. It is killed, and the fork has a `patchError`. */
  patchTimeoutSecondsMax: 300,
  /** Command sessions that a fork may start again. 400 `invalid_request`. */
  restartedSessionsMax: 16,
  /** Hooks of a sandbox that are run when it begins in a memory that others begin in too. The rest is not. */
  forkHooksMax: 64,
  /** How long they have together. Those that are left are killed or not run, which `hookError` says. */
  forkHooksTimeoutSecondsMax: 30,
  /** What is kept of their failures; the rest is dropped. */
  forkHooksFailureBytesMax: 4096,
  /** How long a fork waits for its checkpoint to become ready. 409 `checkpoint_not_ready`. */
  checkpointWaitSecondsMax: 30,

  /** Body of a request that carries an image's manifest, with its files. 413 `body_too_large`. */
  manifestBytesMax: 64 * 1024 * 1024,
  /** Steps of one image. 400 `invalid_request`. */
  imageStepsMax: 200,
  /** Files of one `add_dir` step. 400 `invalid_request`. */
  imageFilesPerStepMax: 2000,
  /** Packages, commands or variables of one step. 400 `invalid_request`. */
  imageStepEntriesMax: 500,
  /** Snapshots of an org. 400 `limit_exceeded`. */
  snapshotsPerOrgMax: 200,
  /** Manifests of all snapshots of an org together. 400 `limit_exceeded`. */
  snapshotManifestsBytesPerOrgMax: 256 * 1024 * 1024,
  /** Images that an org builds at the same time. 429 `too_many_requests`. */
  imageBuildsPerOrgMax: 4,
  /** Log of one build; what its steps print after that is left out. */
  imageLogBytesMax: 4 * 1024 * 1024,
  /** Images of an org that no snapshot names; the one used longest ago is deleted. */
  cachedImagesPerOrgMax: 20,
  /** What they may take on the disk together; the one used longest ago is deleted. */
  cachedImagesBytesPerOrgMax: 50 * 1024 * 1024 * 1024,
  /** An image that no snapshot names and no create has used for this long is deleted. */
  cachedImageIdleSecondsMax: 7 * 24 * 3600,
  /** One step of an image may take this long. 422 `image_build_failed`. */
  imageStepSecondsMax: 1800,

  /** Text of a command, or of one argument: what Linux takes. 400 `invalid_request`. */
  commandBytesMax: 128 * 1024 - 1,
  commandArgumentsMax: 4096,
  /** Longest time-out of a command, and `maxRunAfterDisconnect`; a session may have neither. 400 `invalid_request`. */
  commandTimeoutSecondsMax: 24 * 3600,
  /** Output kept of one stream of one command; the rest is dropped and `truncated` is true. */
  commandOutputBytesMax: 32 * 1024 * 1024,
  /** Commands at the same time in one sandbox. 429 `too_many_requests`. */
  commandsPerSandboxMax: 256,
  /** Output of a command session that whoever attaches is given again; older output is dropped. */
  sessionReplayBytesMax: 1024 * 1024,
  /** Sessions of one sandbox that are kept after their end; the oldest are dropped. 404 `session_not_found`. */
  finishedSessionsMax: 64,
  /** What they may hold together, and at most an eighth of the guest's memory; the oldest are dropped. */
  finishedSessionBytesTotalMax: 128 * 1024 * 1024,
  /** Clients attached to the sessions of one sandbox. 429 `too_many_requests`. */
  attachedClientsMax: 64,
  /** Terminals of one sandbox that run. 429 `too_many_requests`. */
  terminalsPerSandboxMax: 32,
  /** Columns and rows of a terminal, each at least 1. 400 `invalid_request`. */
  terminalSizeMax: 1000,
  /** Output of a terminal that whoever attaches is given again: many screenfuls; older output is dropped. */
  terminalReplayBytesMax: 256 * 1024,
  /** A client of a terminal that takes no output for this long is detached with 1013, so that the program goes on. */
  terminalStallSecondsMax: 300,
  /** Text of a session's command that is listed; further arguments are left out. */
  sessionCommandBytesShownMax: 16 * 1024,
  /** A guest is asked to wait this long for the end of a session. */
  sessionResultWaitSecondsMax: 10,
  /** One message from a client that is attached. The WebSocket is closed with 1009. */
  webSocketMessageBytesMax: 1024 * 1024,
  /** An idempotency key. 400 `invalid_request`. */
  idempotencyKeyCharactersMax: 255,
  /** Idempotency keys of ended commands that are kept for one sandbox; the oldest is dropped. */
  idempotencyKeysPerSandboxMax: 256,
  /** An idempotency key is kept this long after the end of its command. */
  idempotencyKeySecondsMax: 600,
  /** Output that is kept with the idempotency keys of one sandbox. 409 `outcome_unknown` for one that was dropped. */
  idempotentOutputBytesPerSandboxMax: 64 * 1024 * 1024,
  /** The same for all sandboxes of a host. 409 `outcome_unknown`. */
  idempotentOutputBytesTotalMax: 128 * 1024 * 1024,
  /** A command with an idempotency key whose callers have all gone is ended after this long. */
  idempotentCommandGraceSeconds: 5,
  /** A path inside the guest. 400 `invalid_request`. */
  pathBytesMax: 4096,
  /** Longest that a signed URL opens its file. 400 `invalid_request`. */
  signedUrlSecondsMax: 24 * 3600,
  /** Entries in one directory listing. 413 `directory_too_large`. */
  directoryEntriesMax: 100_000,

  /** Previews of one sandbox. 400 `limit_exceeded`. */
  previewsPerSandboxMax: 100,
  /** `authConfig` of a preview, as JSON. 400 `invalid_request`. */
  previewAuthConfigCharactersMax: 4096,
  /** A caller's own token for previews. 400 `invalid_request`. */
  previewTokenCharactersMin: 16,
  previewTokenCharactersMax: 1024,
  /** Connections to ports of one sandbox, each of one request or WebSocket at a time. 429 `too_many_requests`. */
  tunnelsPerSandboxMax: 512,
  /** A guest has this long to accept a connection to one of its ports. 502 `guest_failed`. */
  tunnelOpenTimeoutSeconds: 30,
  /** How long a server in a sandbox may go on sending to a connection whose caller sends no more. It is closed. */
  tunnelHalfOpenSecondsMax: 30,
  /** Head of a response of a server in a sandbox. 502 `guest_failed`. */
  previewHeadBytesMax: 64 * 1024,
  /** A link that opens a preview in a browser works this long, once. */
  previewLinkSecondsMax: 300,
  /** Links of one preview that were not opened yet; the oldest stops working. */
  previewLinksPerPreviewMax: 100,
  /** A browser that opened a link may use the preview this long. 401 after that. */
  previewSessionSecondsMax: 12 * 3600,

  /** One answer of an agent, as JSON. 502 `guest_failed`. */
  agentAnswerBytesMax: 160 * 1024 * 1024,
  /** Answers of all agents of a host that are being received. 429 `too_many_requests`. */
  agentAnswersBytesTotalMax: 512 * 1024 * 1024,
  /** Text of an agent's error that is passed on; the rest is cut. */
  agentErrorCharactersMax: 2000,
  /** Connections and flows that one sandbox may have open. Further ones are reset. */
  networkConnectionsPerSandboxMax: 4096,
  /** What QEMU printed for one machine; the file is emptied when it is longer. */
  machineLogBytesMax: 256 * 1024,

  /** Head of a request or response that passes the proxy. 431 to the guest, 502 for a response. */
  httpHeadBytesMax: 64 * 1024,
  /** Header fields in one head. 431 to the guest, 502 for a response. */
  httpFieldsMax: 200,
  /** A request body up to this size is measured after substitution and keeps an exact Content-Length. */
  measuredBodyBytesMax: 1024 * 1024,
  /** What the measured bodies of one sandbox may hold together; over it a body is streamed instead. */
  measuredBodyBytesPerSandboxMax: 4 * 1024 * 1024,
  /** Connections that one sandbox may hold open through the proxy. Further ones are reset. */
  egressConnectionsPerSandboxMax: 256,
  /** A guest has this long for a TLS handshake and for each request head. The connection is closed. */
  egressHeadTimeoutSeconds: 60,
  /** An upstream has this long to accept a connection and finish its handshake. 504 to the guest. */
  egressConnectTimeoutSeconds: 15,
  /** Neither side has sent an octet for this long. 504 to the guest, or the connection is closed. */
  egressIdleTimeoutSeconds: 300,
  /** Body of a session that the control plane gives the proxy. 413 `body_too_large`. */
  egressSessionBytesMax: 64 * 1024 * 1024,
  /** Leaf certificates that the proxy keeps; the one used longest ago is made again when needed. */
  leafCertificatesMax: 2048,
  /** DNS questions a sandbox may have open at once. Further ones are dropped. */
  dnsQuestionsPerSandboxMax: 64,
  /** One DNS message from a guest over TCP. The connection is reset. */
  dnsMessageBytesMax: 4096,
  /** DNS connections over TCP that one sandbox may hold open. Further ones are reset. */
  dnsConnectionsPerSandboxMax: 16,
  /** A DNS connection over TCP without a question for this long is closed. */
  dnsIdleTimeoutSeconds: 10,
  /** DNS responses over UDP that wait for the kernel to send them; further ones are dropped. */
  dnsSendQueueBytesMax: 1024 * 1024,
  /** All nameservers together have this long for one question. SERVFAIL to the guest. */
  dnsTimeoutSeconds: 8,
  /** Shortest value, or component of one, that is searched for in responses: shorter ones can be guessed. */
  searchedValueBytesMin: 16,
  /** A value that an estimate gives fewer bits can be guessed and is not searched for. */
  searchedValueBitsMin: 64,
  /** A longer part of a value is searched for in pieces of this many UTF-16 code units. */
  searchedPartCharactersMax: 512,
  /** A text of an audit line that a guest or an upstream chose; the rest is cut. */
  auditTextBytesMax: 2048,
  /** One audit line as JSON; its texts and lists are cut further until it fits. */
  auditLineBytesMax: 16 * 1024,
  /** Audit lines of one sandbox that are written one by one; the rest of a second is summed up. */
  auditLinesPerSecondMax: 100,
  /**
   * Audit lines of one sandbox that wait for a slow or full disk. While the disk takes none, new
   * requests are refused; this has room for the last line of each connection that was open.
   */
  auditPendingBytesMax: 256 * 16 * 1024 + 1024 * 1024,
  /** Of these, as much as lines of refused requests may take. */
  auditPendingRefusalsBytesMax: 256 * 1024,
  /** One of the two audit files of a sandbox; the older one is replaced. */
  auditFileBytesMax: 4 * 1024 * 1024,
  /** All audit files; the one written longest ago is deleted. */
  auditBytesTotalMax: 2 * 1024 * 1024 * 1024,
  /** An audit file is kept for this long after it was last written. */
  auditSecondsMax: 7 * 24 * 3600,
} as const;

export const defaults = {
  /** Sandboxes that an org may have at once. 429 `too_many_requests`. */
  sandboxesPerOrgMax: 200,
  cpuCount: 1,
  memoryMB: 1024,
  idleTimeoutSeconds: 300,
  commandTimeoutSeconds: 60,
  signedUrlSeconds: 3600,
  apiPort: 8080,
  apiHost: "127.0.0.1",
  dataDirectory: "/var/lib/opencomputer",
  sandboxDomain: "sandbox.localhost",
} as const;
