"""Types of the records that the service returns, with the field names of its API.

Times are ISO 8601 in UTC. A key that is documented as absent in some case is to be read with
``get``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

SandboxStatus = Literal["running", "hibernated", "stopped"]
IdleRule = Literal["requests", "cpu"]
CheckpointKind = Literal["full", "disk_only"]


class _CreatedSandbox(TypedDict):
    sandboxID: str
    templateID: str
    status: SandboxStatus
    cpuCount: int
    memoryMB: int
    startedAt: str
    endAt: str | None
    metadata: dict[str, str]
    sandboxDomain: str
    token: str
    idle: IdleRule


class CreatedSandbox(_CreatedSandbox, total=False):
    """A new sandbox. ``endAt`` is when the idle time-out ends; None when it never does.

    ``token`` opens the routes of this one sandbox without an API key. ``fromCheckpointId`` is
    present in a fork, ``patchError`` when a patch of its checkpoint failed in it, ``hookError``
    when a hook of its own did.
    ``previewAuthToken`` is the token that its previews need, and shown nowhere else; so are the
    secrets of ``webhooks``, which are those that it was created with.
    """

    fromCheckpointId: str
    patchError: str
    hookError: str
    previewAuthToken: str
    webhooks: list[CreatedWebhook]


class _SandboxSummary(TypedDict):
    sandboxID: str
    templateID: str
    template: str
    status: SandboxStatus
    cpuCount: int
    memoryMB: int
    startedAt: str
    endAt: str | None
    metadata: dict[str, str]
    tags: dict[str, str]


class SandboxSummary(_SandboxSummary, total=False):
    """One row of ``Sandbox.list``. ``fromCheckpointId`` is present in a fork."""

    fromCheckpointId: str


class _SandboxDetail(SandboxSummary):
    sandboxDomain: str
    token: str
    idle: IdleRule


class SandboxDetail(_SandboxDetail, total=False):
    """The record of a sandbox.

    ``secretStore``, ``baseSecretStore`` and ``project`` are present when it has one.
    ``patchError`` says which patch of its checkpoint failed in it, ``hookError`` which of its
    hooks, ``memoryLost`` why it had to boot from its disk at its last wake.
    """

    secretStore: str
    baseSecretStore: str
    project: str
    patchError: str
    hookError: str
    memoryLost: str


class HibernatedSandbox(TypedDict):
    """A sandbox that was hibernated. ``sizeBytes`` is its size on disk."""

    sandboxID: str
    status: Literal["hibernated"]
    sizeBytes: int


class _WokenSandbox(TypedDict):
    sandboxID: str
    status: Literal["running"]
    sandboxDomain: str
    token: str


class WokenSandbox(_WokenSandbox, total=False):
    """A sandbox that was woken. ``memoryLost`` is present when it booted from its disk."""

    memoryLost: str


class ScaledSandbox(TypedDict):
    """The size of a sandbox that was scaled.

    ``cpuPercent`` is 100 for each CPU unless it was limited; ``autoscaleDisabled`` is true when
    this call switched autoscale off.
    """

    sandboxID: str
    memoryMB: int
    cpuPercent: int
    autoscaleDisabled: bool


class Autoscale(TypedDict):
    """Whether autoscale is enabled for a sandbox. The bounds are 0 until they are set."""

    sandboxID: str
    enabled: bool
    minMemoryMB: int
    maxMemoryMB: int


class ScalingLock(TypedDict):
    """Whether the size of a sandbox is locked."""

    sandboxID: str
    locked: bool


class LimitsSet(TypedDict):
    """The response to new limits."""

    ok: Literal[True]


class _AllowedHosts(TypedDict):
    sandboxID: str
    egressAllowlist: list[str]
    perSecretAllowedHosts: dict[str, list[str]]


class AllowedHosts(_AllowedHosts, total=False):
    """What the proxy enforces for a sandbox now. Secrets without host limits are left out.

    An empty ``egressAllowlist`` allows all hosts. The names of stores are present when there
    is one.
    """

    secretStore: str
    baseSecretStore: str


class SandboxTags(TypedDict):
    """The tags of a sandbox; ``tagsLastUpdatedAt`` is None when they never changed."""

    tags: dict[str, str]
    tagsLastUpdatedAt: str | None


class _PreviewAuth(TypedDict):
    token: str


class PreviewAuth(_PreviewAuth, total=False):
    """The bearer token that previews need: ``auto``, or your own of at least 16 characters."""

    scheme: Literal["bearer"]


class _PreviewRecord(TypedDict):
    id: str
    sandboxId: str
    orgId: str
    hostname: str
    port: int
    sslStatus: Literal["none", "external"]
    authConfig: dict[str, Any]
    url: str
    createdAt: str


class PreviewRecord(_PreviewRecord, total=False):
    """A preview: HTTP requests for ``url`` reach the server on ``port`` of the sandbox.

    ``sslStatus`` is ``external`` where a proxy of the operator's ends TLS, else ``none``.
    """

    customHostname: str


class RotatedPreviewAuth(TypedDict):
    """The new token of a sandbox's previews, which is not shown again."""

    previewAuthToken: str
    scheme: Literal["bearer"]


class PreviewLink(TypedDict):
    """A link that opens a preview in a browser; ``expiresAt`` is None where it needs no token."""

    url: str
    expiresAt: str | None


class TagKey(TypedDict):
    """A tag key in use, with how many running sandboxes and how many different values it has."""

    key: str
    sandboxCount: int
    valueCount: int


class TagKeys(TypedDict):
    """All tag keys in use."""

    keys: list[TagKey]


class ProjectRecord(TypedDict):
    """A project. Zero and the empty string mean the default of the platform."""

    id: str
    orgId: str
    name: str
    template: str
    cpuCount: int
    memoryMB: int
    timeoutSec: int
    egressAllowlist: list[str]
    createdAt: str
    updatedAt: str


class _SecretStoreRecord(TypedDict):
    id: str
    orgId: str
    name: str
    egressAllowlist: list[str]
    createdAt: str
    updatedAt: str


class SecretStoreRecord(_SecretStoreRecord, total=False):
    """A secret store. ``substituteIn`` is absent when the store has no placements."""

    substituteIn: list[str]


class _SecretEntry(TypedDict):
    id: str
    storeId: str
    name: str
    allowedHosts: list[str]
    substituteIn: list[str]
    createdAt: str
    updatedAt: str


class SecretEntry(_SecretEntry, total=False):
    """A secret without its value. ``substituteIn`` are the placements that apply.

    ``kind`` is ``value`` for a text. ``revokedAt`` is present from a revocation until the secret
    is set again, ``lastUsedAt``, to a minute, once a sandbox has sent a request with its value.
    """

    kind: Literal["value", "aws"]
    revokedAt: str
    lastUsedAt: str


class RevokeSecretResponse(TypedDict):
    """A revoked secret: its value is not used, and sandboxes keep its token."""

    name: str
    status: Literal["revoked"]


class _SetSecretResponse(TypedDict):
    name: str
    status: Literal["set"]


class SetSecretResponse(_SetSecretResponse, total=False):
    """``warning`` is present when the value can be guessed."""

    warning: str


class _ApiKeyEntry(TypedDict):
    id: str
    name: str
    prefix: str
    createdAt: str


class ApiKeyEntry(_ApiKeyEntry, total=False):
    """An API key without its value. ``prefix`` is the beginning of the value.

    ``lastUsedAt`` is exact to about a minute and absent for a key that was never used.
    """

    lastUsedAt: str


class CreatedApiKey(ApiKeyEntry):
    """A new API key. No other response contains ``key``."""

    key: str


class _SessionInfo(TypedDict):
    sessionID: str
    sandboxID: str
    command: str
    args: list[str]
    running: bool
    startedAt: str
    attachedClients: int


class SessionInfo(_SessionInfo, total=False):
    """A command that clients attach to and detach from.

    ``exitCode`` is present once it has ended: -1 after a time-out, 128 + n after signal n.
    """

    exitCode: int


class OpenedTerminal(TypedDict):
    """A new terminal."""

    sessionID: str
    sandboxID: str


class _TerminalInfo(TypedDict):
    sessionID: str
    sandboxID: str
    shell: str
    cols: int
    rows: int
    running: bool
    startedAt: str
    attachedClients: int


class TerminalInfo(_TerminalInfo, total=False):
    """A terminal. ``exitCode`` is present once its shell has ended: 128 + n after signal n."""

    exitCode: int


class OutputChunk(TypedDict):
    """A piece of a session's output.

    ``data`` are the bytes as they came; ``text`` is what they complete, decoded as UTF-8: a
    character that is split over two pieces is whole in the text of the second.
    """

    stream: Literal["stdout", "stderr"]
    data: bytes
    text: str


@dataclass(frozen=True)
class CommandResult:
    """A command that has ended."""

    exit_code: int
    """-1 after a time-out, which the end of ``stderr`` reports; 128 + n after signal n."""
    stdout: str
    stderr: str
    truncated: bool = False
    """Whether a stream was longer than the 32 MiB that are kept."""


@dataclass(frozen=True)
class CommandProgress:
    """The output of a background command so far."""

    running: bool
    stdout: str
    stderr: str
    exit_code: int | None = None
    """As of a ``CommandResult``; None while it runs, and when ``error`` says why there is none."""
    truncated: bool = False
    error: str | None = None


@dataclass(frozen=True)
class BackgroundCommand:
    """A command that was started in the background.

    When it ended at once, ``running`` is False and this is its whole result; otherwise
    ``exec_id`` leads to the result.
    """

    running: bool
    exec_id: str | None = None
    started_at: str | None = None
    exit_code: int | None = None
    stdout: str = ""
    stderr: str = ""
    truncated: bool = False


class DirectoryEntry(TypedDict):
    """One entry of a directory. ``size`` is in bytes."""

    name: str
    path: str
    isDir: bool
    size: int


class SignedUrl(TypedDict):
    """A URL that opens one file for one method, without a key, until ``expiresAt``."""

    url: str
    expiresAt: str


class _RetentionPolicy(TypedDict):
    mode: Literal["none", "delete_oldest"]


class RetentionPolicy(_RetentionPolicy, total=False):
    """What happens at the limit of checkpoints: an error, or the oldest one is deleted.

    ``maxCount`` lowers the limit for this call.
    """

    maxCount: int


class _SandboxConfig(TypedDict):
    templateID: str
    cpuCount: int
    memoryMB: int
    timeout: int
    idle: IdleRule


class SandboxConfig(_SandboxConfig, total=False):
    """The settings that a fork starts with."""

    secretStore: str
    baseSecretStore: str


class _CheckpointRecord(TypedDict):
    id: str
    sandboxId: str
    orgId: str
    name: str
    kind: CheckpointKind
    sandboxConfig: SandboxConfig
    status: Literal["processing", "ready", "failed"]
    sizeBytes: int
    isPublic: bool
    createdAt: str


class CheckpointRecord(_CheckpointRecord, total=False):
    """A checkpoint. ``sizeBytes`` is 0 until it is ready; ``failure`` is its error."""

    failure: str


class RestoredCheckpoint(TypedDict):
    """A sandbox that is being restored to a checkpoint."""

    sandboxId: str
    checkpointId: str
    status: Literal["restoring"]


class PatchRecord(TypedDict):
    """A script that every later fork of a checkpoint runs, in the order of ``sequence``."""

    id: str
    checkpointId: str
    sequence: int
    script: str
    description: str
    strategy: Literal["on_wake"]
    createdAt: str


class CreatedPatch(TypedDict):
    """The response to a new patch."""

    patch: PatchRecord


class ImageStep(TypedDict):
    """One step of an image, as it is sent to the service."""

    type: Literal["apt_install", "pip_install", "run", "env", "workdir", "add_file", "add_dir"]
    args: dict[str, Any]


class _ImageManifest(TypedDict):
    base: Literal["base"]
    steps: list[ImageStep]


class ImageManifest(_ImageManifest, total=False):
    """The definition of an image."""

    builderMemoryMB: int | None


class _SnapshotRecord(TypedDict):
    id: str
    orgId: str
    name: str
    contentHash: str
    manifest: ImageManifest
    status: Literal["building", "ready", "failed"]
    createdAt: str
    lastUsedAt: str | None


class SnapshotRecord(_SnapshotRecord, total=False):
    """A snapshot. ``contentHash`` is its image's cache key; ``failure`` is its error."""

    failure: str


class BuildLogEvent(TypedDict):
    """A line of the log of a build.

    ``step`` counts from 1; 0 is about the build as a whole. ``type`` is the step's type, or
    ``output`` for a line that a step printed, ``cache_hit`` for an image that exists already,
    or ``build``.
    """

    step: int
    type: str
    message: str


class EventRecord(TypedDict):
    """Something that has happened.

    ``id`` is unique, also when an event is received twice. ``cursor`` is its place in the order
    of the events. ``nodeId`` names the installation. ``sandboxId`` is None for an event that
    belongs to no sandbox. ``data`` depends on ``type``.
    """

    id: str
    cursor: str
    nodeId: str
    sandboxId: str | None
    time: str
    type: str
    data: dict[str, Any]


class EventPage(TypedDict):
    """Some events. ``cursor`` is where the next page starts, ``hasMore`` whether it has any yet."""

    events: list[EventRecord]
    cursor: str
    hasMore: bool


EgressProtocol = Literal["https", "http", "websocket", "grpc", "tls", "tcp", "dns"]
WithheldReason = Literal["host", "placement", "plain_http", "signature", "revoked"]


class SubstitutedSecret(TypedDict):
    """A secret whose token became its value, with where it did."""

    name: str
    places: list[str]


class WithheldSecret(TypedDict):
    """A secret whose token was sent as it is. ``reason`` is None in the sum of exchanges."""

    name: str
    place: str
    reason: WithheldReason | None


class RedactedSecret(TypedDict):
    """A secret whose value became a token again in a response, with how often."""

    name: str
    count: int


class EgressSecrets(TypedDict):
    """What became of the secrets of an exchange, by their names. It has no values.

    ``leaked`` names those whose value the sandbox sent in plaintext. ``foreignTokens`` counts
    tokens that stand for no secret of the sandbox.
    """

    substituted: list[SubstitutedSecret]
    withheld: list[WithheldSecret]
    redacted: list[RedactedSecret]
    leaked: list[str]
    foreignTokens: int


class EgressEntry(TypedDict):
    """An exchange of a sandbox with the network.

    ``id`` is unique. ``cursor`` is its place in the log. ``path`` has no query. ``reason`` states
    why it was refused, failed, or was not searched. ``leftOut`` is 0, or how many exchanges the
    entry stands for that were too many to be kept one by one.
    """

    id: str
    cursor: str
    time: str
    protocol: EgressProtocol
    host: str | None
    port: int | None
    method: str | None
    path: str | None
    decision: Literal["allowed", "refused"]
    reason: str | None
    secrets: EgressSecrets
    status: int | None
    requestBytes: int
    responseBytes: int
    durationMilliseconds: float
    leftOut: int


class EgressPage(TypedDict):
    """Some entries. ``cursor`` is where the next page starts, ``hasMore`` whether it has any."""

    entries: list[EgressEntry]
    cursor: str
    hasMore: bool


class ExplainedSecret(TypedDict):
    """What would become of a secret's token. ``withheld`` is None when it has placements."""

    name: str
    substituteIn: list[str]
    withheld: WithheldReason | None
    allowedHosts: list[str]


class EgressExplanation(TypedDict):
    """What would happen to a request. ``entry`` is that of the allowlist which allows it."""

    decision: Literal["allowed", "refused"]
    rule: str
    entry: str | None
    reason: str
    protocol: Literal["https", "http", "tcp"]
    host: str
    port: int
    method: str | None
    secrets: list[ExplainedSecret]


class CountedEntry(TypedDict):
    """An allowlist entry, with how often a sandbox did what it is for."""

    entry: str
    count: int


class EgressSuggestion(TypedDict):
    """The smallest allowlist for what a sandbox did.

    ``refused`` would be allowed by these entries, and ``unreached`` was allowed, but no connection
    was ever made; neither is in the lists. ``isIncomplete`` is whether exchanges were left out of
    the log, so that hosts may be missing.
    """

    egressAllowlist: list[str]
    perSecretAllowedHosts: dict[str, list[str]]
    refused: list[CountedEntry]
    unreached: list[CountedEntry]
    exchangeCount: int
    since: str | None
    isIncomplete: bool


UsageInterval = Literal["hour", "day"]


class UsageTotal(TypedDict):
    """What one sandbox, or several together, used in a period.

    ``memoryMBSeconds`` counts each MB for as long as it was held. The peaks are those of one
    sandbox.
    """

    runningSeconds: float
    cpuSeconds: float
    memoryMBSeconds: float
    memoryPeakBytes: int
    diskPeakBytes: int
    networkReceivedBytes: int
    networkSentBytes: int


class UsageBucket(UsageTotal):
    """The usage in the hour, or the day in UTC, that begins at ``start``."""

    start: str


class CurrentUsage(TypedDict):
    """What a sandbox uses now. ``cpuPercent`` is of one CPU: 200 is two whole CPUs."""

    readAt: str
    uptimeSeconds: float
    cpuPercent: float
    memoryBytes: int
    diskBytes: int


class SandboxUsage(TypedDict):
    """The usage of a sandbox. ``current`` is None for one that was killed or was never read."""

    sandboxID: str
    status: SandboxStatus
    since: str
    until: str
    interval: UsageInterval
    current: CurrentUsage | None
    total: UsageTotal
    buckets: list[UsageBucket]


class CurrentOrgUsage(TypedDict):
    """What all running sandboxes use now, together."""

    runningCount: int
    cpuPercent: float
    memoryBytes: int
    diskBytes: int


class SandboxUsageRow(UsageTotal):
    """One sandbox in the usage of an organization."""

    sandboxID: str
    status: SandboxStatus
    tags: dict[str, str]


class OrgUsage(TypedDict):
    """The usage of an organization. ``cursor`` is where the next page of ``sandboxes`` starts."""

    since: str
    until: str
    interval: UsageInterval
    current: CurrentOrgUsage
    sandboxCount: int
    total: UsageTotal
    buckets: list[UsageBucket]
    sandboxes: list[SandboxUsageRow]
    cursor: str | None


class TagUsageRow(UsageTotal):
    """The usage of sandboxes that have the same value of a tag; None for those without it."""

    value: str | None
    sandboxCount: int


class TagUsage(TypedDict):
    """The usage by the values of a tag. ``cursor`` is where the next page starts."""

    key: str
    since: str
    until: str
    interval: UsageInterval
    values: list[TagUsageRow]
    cursor: str | None


class _WebhookOptions(TypedDict):
    url: str


class WebhookOptions(_WebhookOptions, total=False):
    """A webhook that a sandbox is created with. Without ``eventTypes`` it gets all events."""

    secret: str
    eventTypes: list[str]


class WebhookRecord(TypedDict):
    """A webhook without its secret.

    ``sandboxId`` is None for one of the organization, ``eventTypes`` for all. ``disabledReason``
    is ``requested``, ``gone`` or ``failing``. ``failingSince`` is since when every delivery has
    failed.
    """

    id: str
    sandboxId: str | None
    url: str
    eventTypes: list[str] | None
    enabled: bool
    disabledReason: str | None
    failingSince: str | None
    createdAt: str
    updatedAt: str


class CreatedWebhook(WebhookRecord):
    """A new webhook, with its signing secret."""

    secret: str


class WebhookDelivery(TypedDict):
    """The delivery of an event to a webhook.

    One that is ``pending`` is sent at ``nextAttemptAt``; one that has ``failed`` is not sent again.
    ``responseStatus`` and ``error`` are those of the last attempt.
    """

    id: str
    webhookId: str
    eventId: str
    eventType: str
    state: Literal["pending", "delivered", "failed"]
    attempts: int
    createdAt: str
    lastAttemptAt: str | None
    nextAttemptAt: str | None
    responseStatus: int | None
    error: str | None
