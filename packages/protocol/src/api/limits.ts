/**
 * The bounds that callers of the API, and programs in a sandbox, can reach.
 *
 * Names end in their unit. Each comment names what happens beyond the bound,
 * for instance the error code.
 */
export const limits = {
  /** Body of an API request that is JSON, unless the operator sets another. 413 `body_too_large`. */
  apiBodyBytesMax: 1024 * 1024,
  /** Arrays, objects, elements and members of such a body: parsed, each takes far more memory than its text. 400 `invalid_request`. */
  apiBodyValuesMax: 20_000,
  /** Head of an API request, unless the operator sets another. 431 `header_too_large`. */
  apiHeaderBytesMax: 32 * 1024,

  /**
   * Large requests that are being received, apart from the content of files, and as much of
   * large responses that wait to be read. The oldest of the org with the most is disconnected.
   */
  largeMessagesBytesTotalMax: 512 * 1024 * 1024,

  /** API keys of an org. 400 `limit_exceeded`. */
  apiKeysPerOrgMax: 100,

  /** A session of the dashboard ends this long after the sign-in. 401 `missing_api_key`. */
  dashboardSessionSecondsMax: 12 * 3600,
  /** Sessions of the dashboard of one API key; the oldest ends. */
  dashboardSessionsPerKeyMax: 20,

  /** Secret stores of an org, besides those of its projects. 400 `limit_exceeded`. */
  secretStoresPerOrgMax: 1000,
  /** Projects of an org. 400 `limit_exceeded`. */
  projectsPerOrgMax: 1000,

  /** Size of one secret value. 400 `invalid_request`. */
  secretValueBytesMax: 64 * 1024,
  /** An access key id or a secret access key of a secret of kind `aws`. 400 `invalid_request`. */
  awsKeyCharactersMax: 256,
  /** A session token of a secret of kind `aws`. 400 `invalid_request`. */
  awsSessionTokenCharactersMax: 8192,
  /** Secrets in one store. 400 `limit_exceeded`. */
  secretsPerStoreMax: 200,
  /** Patterns in an allowlist or in a secret's host limits. 400 `invalid_request`. */
  hostPatternsMax: 200,
  /** Placements of one secret, or of a store's default. 400 `invalid_request`. */
  placementsMax: 32,
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
  /** Tags of a sandbox. 400 `invalid_request` when all are replaced, `limit_exceeded` when some are changed. */
  tagsPerSandboxMax: 50,
  /** Tags that one request sets and removes: all of a sandbox, each in place of another. 400 `invalid_request`. */
  tagChangesPerRequestMax: 100,
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
  /** Hooks of a sandbox that are run when its machine starts from shared memory. Further ones are not run. */
  forkHooksMax: 64,
  /** All hooks of one start together. The others are killed or not run, which `hookError` reports. */
  forkHooksTimeoutSecondsMax: 30,
  /** Text that is kept of the failures of hooks; the rest is dropped. */
  forkHooksFailureBytesMax: 4096,
  /** How long a fork waits for its checkpoint to become ready. 409 `checkpoint_not_ready`. */
  checkpointWaitSecondsMax: 30,

  /** Body of a request that carries an image's manifest, with its files. 413 `body_too_large`. */
  manifestBytesMax: 64 * 1024 * 1024,
  /** Arrays, objects, elements and members of such a body. 400 `invalid_request`. */
  manifestValuesMax: 2_000_000,
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
  /** Lines of the log of one build, which take memory however short they are; those after that are left out. */
  imageLogLinesMax: 50_000,
  /** Images of an org that no snapshot names; the least recently used is deleted. */
  cachedImagesPerOrgMax: 20,
  /** Disk space of the images of an org that no snapshot names; the least recently used is deleted. */
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
  /** Output of a command session that is replayed to a client that attaches; older output is dropped. */
  sessionReplayBytesMax: 1024 * 1024,
  /** Ended sessions of one sandbox that are kept; the oldest are dropped. 404 `session_not_found`. */
  finishedSessionsMax: 64,
  /** Output of ended sessions, and at most an eighth of the guest's memory; the oldest are dropped. */
  finishedSessionBytesTotalMax: 128 * 1024 * 1024,
  /** Clients attached to the sessions of one sandbox. 429 `too_many_requests`. */
  attachedClientsMax: 64,
  /** Terminals of one sandbox that run. 429 `too_many_requests`. */
  terminalsPerSandboxMax: 32,
  /** Columns and rows of a terminal, each at least 1. 400 `invalid_request`. */
  terminalSizeMax: 1000,
  /** Output of a terminal that is replayed to a client that attaches; older output is dropped. */
  terminalReplayBytesMax: 256 * 1024,
  /** A client of a terminal that reads no output for this long is detached with 1013, so that the program continues. */
  terminalStallSecondsMax: 300,
  /** Text of a session's command that is listed; further arguments are left out. */
  sessionCommandBytesShownMax: 16 * 1024,
  /** How long the agent waits for the end of a session before it responds. */
  sessionResultWaitSecondsMax: 10,
  /** One message from a client that is attached. The WebSocket is closed with 1009. */
  webSocketMessageBytesMax: 1024 * 1024,
  /** An idempotency key. 400 `invalid_request`. */
  idempotencyKeyCharactersMax: 255,
  /** Idempotency keys of ended commands that are kept for one sandbox; the oldest is dropped. */
  idempotencyKeysPerSandboxMax: 256,
  /** An idempotency key is kept this long after the end of its command. */
  idempotencyKeySecondsMax: 600,
  /** Output that is kept with the idempotency keys of one sandbox. 409 `outcome_unknown` when it was dropped. */
  idempotentOutputBytesPerSandboxMax: 64 * 1024 * 1024,
  /** The same for all sandboxes of a host. 409 `outcome_unknown`. */
  idempotentOutputBytesTotalMax: 128 * 1024 * 1024,
  /** A command with an idempotency key is killed this long after its last caller disconnected. */
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
  /** How long a server in a sandbox may keep sending after its caller closed its side. The connection is closed. */
  tunnelHalfOpenSecondsMax: 30,
  /** Head of a response of a server in a sandbox. 502 `guest_failed`. */
  previewHeadBytesMax: 64 * 1024,
  /** Entries of the egress log that one response has. 400 `invalid_request`. */
  egressLogPageEntriesMax: 1000,
  /** Entries of the egress log that are kept of one sandbox; the oldest are deleted. */
  egressLogEntriesPerSandboxMax: 10_000,
  /** Entries of the egress log that are kept of an org; the oldest are deleted. */
  egressLogEntriesPerOrgMax: 500_000,
  /** Requests of an org that follow egress logs at the same time. 429 `too_many_requests`. */
  egressLogFollowersPerOrgMax: 64,
  /** URL of which is explained what would happen to a request. 400 `invalid_request`. */
  explainedUrlCharactersMax: 8192,

  /** How long usage is kept by the hour; after that by the day. 400 `invalid_request`. */
  usageHourDaysMax: 7,
  /** How long usage is kept by the day, also of sandboxes that were killed. */
  usageDaysMax: 90,
  /** Hours and days of usage that are kept of an org's sandboxes; the oldest are deleted. */
  usageRowsPerOrgMax: 1_000_000,
  /** Sandboxes, or values of a tag, of one page of usage. 400 `invalid_request`. */
  usageRowsPerPageMax: 1000,

  /** A link that opens a preview in a browser works this long, once. */
  previewLinkSecondsMax: 300,
  /** Links of one preview that were not opened yet; the oldest stops working. */
  previewLinksPerPreviewMax: 100,
  /** A browser that opened a link may use the preview this long. 401 after that. */
  previewSessionSecondsMax: 12 * 3600,

  /** A text in an event, such as the reason of a failure; the rest is left out. */
  eventTextCharactersMax: 1024,
  /** Events of one page. 400 `invalid_request`. */
  eventsPerPageMax: 1000,
  /** Requests of an org that follow its events at the same time. 429 `too_many_requests`. */
  eventFollowersPerOrgMax: 64,
  /** Webhooks of an org, besides those of its sandboxes. 400 `limit_exceeded`. */
  webhooksPerOrgMax: 100,
  /** Webhooks of one sandbox. 400 `invalid_request`. */
  webhooksPerSandboxMax: 5,
  /** URL of a webhook. 400 `invalid_request`. */
  webhookUrlCharactersMax: 2048,
  /** Deliveries of one webhook that are kept, those to be sent too; the oldest are deleted. */
  deliveriesPerWebhookMax: 10_000,
  /** A receiver has this long to respond. The attempt fails. */
  webhookTimeoutSeconds: 15,
  /** A webhook whose deliveries have all failed for this long is disabled. */
  webhookFailingSecondsMax: 24 * 3600,
} as const;

export const defaults = {
  /** Sandboxes that an org may have at once. 429 `too_many_requests`. */
  sandboxesPerOrgMax: 200,
  cpuCount: 1,
  memoryMB: 1024,
  idleTimeoutSeconds: 300,
  commandTimeoutSeconds: 60,
  signedUrlSeconds: 3600,
  egressLogPageEntries: 100,
  /** An entry of the egress log is deleted this long after it was stored. */
  egressLogDaysMax: 7,
  eventsPerPage: 100,
  usageRowsPerPage: 100,
  /** An event is deleted this long after it happened. */
  eventsDaysMax: 30,
  /** Events that are kept of an org; the oldest are deleted. */
  eventsPerOrgMax: 250_000,
  apiPort: 8080,
  apiHost: "127.0.0.1",
  dataDirectory: "/var/lib/opencomputer",
  sandboxDomain: "sandbox.localhost",
} as const;
