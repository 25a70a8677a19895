/**
 * The bounds inside the service: what sandboxes, upstream servers and slow
 * disks can make a process keep. Callers of the API do not meet them.
 */
export const serviceLimits = {
  /** Ranges that an operator closes to all sandboxes. The service does not start. */
  egressDeniedRangesMax: 256,
  /** Hosts and ranges that an operator excepts from the upstream proxy. The service does not start. */
  upstreamProxyExceptionsMax: 256,
  /**
   * Values that one secret of a sandbox or checkpoint had before and that are
   * still searched for in responses; the oldest is dropped.
   */
  formerValuesPerSecretMax: 16,
  /** Former values of one sandbox or checkpoint together, encrypted; the oldest is dropped. */
  formerValuesBytesTotalMax: 8 * 1024 * 1024,
  /** How long a former value is searched for. */
  formerValueSecondsMax: 90 * 24 * 3600,

  /** Connections of one sandbox to the metadata service. Further ones are closed. */
  metadataConnectionsPerSandboxMax: 8,
  /** Requests of one sandbox to the metadata service in a second. 429 to the guest. */
  metadataRequestsPerSecondMax: 50,
  /** Body of a request to the metadata service. 413 to the guest. */
  metadataBodyBytesMax: 1024,
  /** A request to the metadata service must have arrived by then. The connection is closed. */
  metadataRequestTimeoutSeconds: 5,

  /** One response of an agent, as JSON. 502 `guest_failed`. */
  agentResponseBytesMax: 160 * 1024 * 1024,
  /** Responses of all agents of a host that are being received. 429 `too_many_requests`. */
  agentResponsesBytesTotalMax: 512 * 1024 * 1024,
  /** Text of an agent's error that is passed on; the rest is cut. */
  agentErrorCharactersMax: 2000,
  /** Connections and flows that one sandbox may have open. Further ones are reset. */
  networkConnectionsPerSandboxMax: 4096,
  /** What QEMU printed for one machine; the file is emptied when it is longer. */
  machineLogBytesMax: 256 * 1024,
  /** The worker keeps the last reading of a machine's usage this long after its end. */
  endedMachineSecondsMax: 300,
  /** How many of these it keeps; the oldest is dropped. */
  endedMachinesMax: 4096,
  /** Between two readings of the usage of all machines, which the control plane stores. */
  usageSampleSeconds: 60,
  /** A request for usage takes a reading when the last one is older than this. */
  usageFreshSecondsMax: 5,
  /** The counters of a machine are forgotten this long after its last reading. */
  machineCountersSecondsMax: 24 * 3600,

  /** Head of a request or response that passes the proxy. 431 to the guest, 502 for a response. */
  httpHeadBytesMax: 64 * 1024,
  /** Header fields in one head. 431 to the guest, 502 for a response. */
  httpFieldsMax: 200,
  /**
   * A body up to this size is collected, so that it has an exact Content-Length after it was
   * changed. Members of a longer one are not substituted.
   */
  measuredBodyBytesMax: 1024 * 1024,
  /**
   * The same for JSON, forms and other text of a request, and for what a compressed body decodes to. Longer text
   * is sent without its length; a longer compressed body passes unchanged.
   */
  measuredTextBytesMax: 8 * 1024 * 1024,
  /** The beginning of a longer file in which tokens become values; the rest passes unchanged. */
  fileBeginningBytesMax: 64 * 1024,
  /** Text of a compressed body in which tokens are looked for, when it passes unchanged. The audit names a longer one. */
  searchedDecodedBytesMax: 64 * 1024 * 1024,
  /**
   * Collected bodies of one sandbox, and its decoders, together; beyond that a body is sent as if it
   * were longer than the limits above.
   */
  measuredBodyBytesPerSandboxMax: 27 * 1024 * 1024,
  /**
   * Memory of the decoders of one sandbox's compressed responses. 503 `compressed_responses_too_many` to the
   * guest: Brotli takes the window that it states and 3 MiB, zstd its window, and gzip little.
   */
  decoderBytesPerSandboxMax: 256 * 1024 * 1024,
  /** A body with a signature over it whose hash the request does not state, which is collected to be verified. 413 to the guest. */
  awsSignedBodyBytesMax: 8 * 1024 * 1024,
  /** One chunk of a body that is signed by chunks for AWS, which is collected to be signed again. 413 to the guest. */
  awsChunkBytesMax: 1024 * 1024,
  /** Egress proxies of one host. The service does not start. */
  egressProxiesMax: 32,
  /**
   * Connections that one sandbox may hold open through the proxy. A further one takes the place of
   * one that is idle; without such a one it gets a 503 `too_many_connections`.
   */
  egressConnectionsPerSandboxMax: 256,
  /** New connections of one sandbox to the proxy and its resolver in a second. Further ones are reset. */
  egressNewConnectionsPerSecondMax: 500,
  /** As many more at once. */
  egressNewConnectionsBurstMax: 1000,
  /** Connections of one sandbox that are being refused in this way. Further ones are reset. */
  egressRefusedConnectionsPerSandboxMax: 16,
  /** A guest has this long for a TLS handshake and for each request head. The connection is closed. */
  egressHeadTimeoutSeconds: 60,
  /** An upstream server has this long to accept a connection and finish its handshake. 504 to the guest. */
  egressConnectTimeoutSeconds: 15,
  /**
   * Upstream connections that a sandbox's closed connections left, for its next
   * ones. The one idle for longest is closed.
   */
  idleUpstreamsPerSandboxMax: 8,
  /** Such a connection is closed after this long. */
  idleUpstreamSecondsMax: 30,
  /** A guest's connection without a request for this long is closed. */
  egressIdleTimeoutSeconds: 300,
  /**
   * During an exchange neither side has sent a byte for this long. 504 to the guest, or the connection
   * is closed. Models think for minutes before their first byte; TCP probes find a host that vanished.
   */
  egressSilenceTimeoutSeconds: 3600,
  /** Streams of HTTP/2 that one connection of a guest may have open. Further ones are refused. */
  http2StreamsPerConnectionMax: 100,
  /** Streams of HTTP/2 that one sandbox may have open on all its connections. Further ones are refused. */
  http2StreamsPerSandboxMax: 256,
  /** What a guest may send on a stream before it is read. */
  http2GuestWindowBytes: 64 * 1024,
  /** What an upstream may send on a stream before the guest reads it. */
  http2UpstreamWindowBytes: 256 * 1024,
  /** What an upstream may send on all streams of a connection before the proxy takes it. */
  http2UpstreamConnectionWindowBytes: 1024 * 1024,
  /** Invalid frames on one connection of a guest. The connection is closed. */
  http2InvalidFramesMax: 100,
  /** Streams that a guest may reset on one connection at once. The connection is closed. */
  http2StreamResetsMax: 1000,
  /** How many of these it may reset again in each second. */
  http2StreamResetsPerSecond: 33,
  /**
   * Bytes of frames on one connection over HTTP/2 that carry neither heads nor bodies. The connection is
   * closed. More than what an upstream may have sent that is not taken yet.
   */
  http2OverheadBytesMax: 2 * 1024 * 1024,
  /** How many more of these are allowed in each second. */
  http2OverheadBytesPerSecond: 256 * 1024,
  /** Connections to an upstream without HTTP/2 that streams of one connection share; the others wait. */
  http1UpstreamsPerConnectionMax: 8,
  /** Body of a session that the control plane gives the proxy. 413 `body_too_large`. */
  egressSessionBytesMax: 64 * 1024 * 1024,
  /** Leaf certificates that the proxy caches; the least recently used is evicted. */
  leafCertificatesMax: 2048,
  /** DNS questions a sandbox may have open at once. Further ones are dropped. */
  dnsQuestionsPerSandboxMax: 64,
  /**
   * DNS messages of one sandbox over UDP in a second. Further ones are dropped before they reach the resolver,
   * whose queue for messages that arrive is the same for all sandboxes.
   */
  dnsMessagesPerSecondMax: 1000,
  /** As many more at once. */
  dnsMessagesBurstMax: 1000,
  /** One DNS message from a guest over TCP. The connection is reset. */
  dnsMessageBytesMax: 4096,
  /** DNS connections over TCP that one sandbox may hold open. Further ones are reset. */
  dnsConnectionsPerSandboxMax: 16,
  /** A DNS connection over TCP without a question for this long is closed. */
  dnsIdleTimeoutSeconds: 10,
  /** DNS responses over UDP that wait for the kernel to send them; further ones are dropped. */
  dnsSendQueueBytesMax: 1024 * 1024,
  /**
   * Work that one sandbox begins in a turn of the egress proxy's event loop, in units of about 0.1 ms. What is
   * beyond waits for the next turn, so that others are served in between.
   */
  workPerTurnMax: 16,
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
  /** The metrics of one process in text; more is refused, and the scrape fails. */
  metricsCharactersMax: 8 * 1024 * 1024,
  /** A longer `traceparent` of a caller is ignored. */
  traceParentCharactersMax: 256,
  /** Finished spans of one process that wait for the receiver; further ones are dropped. */
  traceSpansQueuedMax: 2048,
  /** Spans of one export, which are in memory besides those that wait. */
  traceSpansPerExportMax: 512,
  /** Spans are sent after this long, unless enough for a whole export wait before. */
  traceExportMilliseconds: 2000,
  /** How long the end of a process waits for its last export. */
  traceFlushMilliseconds: 2000,
  /** Headers of exports, and attributes of the installation. The service does not start. */
  traceAttributesMax: 32,
  /** The value of one of them. */
  traceAttributeCharactersMax: 4096,
  /** Audit lines of one sandbox that are written one by one; the rest of a second is summarized. */
  auditLinesPerSecondMax: 100,
  /**
   * Audit lines of one sandbox that wait for a slow or full disk. While the disk takes none, new
   * requests are refused; this has room for the last line of each connection that was open.
   */
  auditPendingBytesMax: 256 * 16 * 1024 + 1024 * 1024,
  /** The part of these that lines of refused requests may take. */
  auditPendingRefusalsBytesMax: 256 * 1024,
  /** One of the two audit files of a sandbox; the older one is replaced. */
  auditFileBytesMax: 4 * 1024 * 1024,
  /** All audit files; the one written longest ago is deleted. */
  auditBytesTotalMax: 2 * 1024 * 1024 * 1024,
  /** One line of the egress log as JSON; its texts and lists are cut until it fits. */
  egressLogLineBytesMax: 4 * 1024,
  /** Lines of one sandbox that wait for the control plane; the others are summarized. */
  egressLogLinesPerSandboxMax: 2000,
  /** Memory that these lines may take. */
  egressLogBytesPerSandboxMax: 512 * 1024,
  /** Memory that waiting lines of all sandboxes may take. Beyond it a sandbox has only its share, `egressLogShareBytes`. */
  egressLogBytesTotalMax: 64 * 1024 * 1024,
  /** What the lines of one sandbox may always take, whatever others do. */
  egressLogShareBytes: 16 * 1024,
  /** Lines that the control plane gets at a time. */
  egressLogLinesPerReadMax: 1000,
  /** Size that these may have together; at least one line is returned. */
  egressLogBytesPerReadMax: 1024 * 1024,
  /** Between two events of the same kind that follow from the egress log of a sandbox. */
  egressEventSecondsMin: 3600,
  /** Hosts and secrets of one sandbox that have events of a type of their own; the others share one with the host `*`. */
  egressEventSubjectsPerSandboxMax: 100,

  /** An audit file is kept for this long after it was last written. */
  auditSecondsMax: 7 * 24 * 3600,
} as const;
