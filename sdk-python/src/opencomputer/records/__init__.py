"""Types of the records that the service returns, with the field names of its API.

Times are ISO 8601 in UTC. A key that is documented as absent in some case is to be read with
``get``.
"""

from opencomputer.records.api_keys import ApiKeyEntry, CreatedApiKey
from opencomputer.records.checkpoints import (
    CheckpointKind,
    CheckpointRecord,
    CreatedPatch,
    PatchRecord,
    RestoredCheckpoint,
    RetentionPolicy,
    SandboxConfig,
)
from opencomputer.records.commands import (
    BackgroundCommand,
    CommandProgress,
    CommandResult,
    OutputChunk,
    SessionInfo,
)
from opencomputer.records.egress import (
    CountedEntry,
    EgressEntry,
    EgressExplanation,
    EgressPage,
    EgressProtocol,
    EgressSecrets,
    EgressSuggestion,
    ExplainedSecret,
    RedactedSecret,
    SubstitutedSecret,
    WithheldReason,
    WithheldSecret,
)
from opencomputer.records.events import EventPage, EventRecord
from opencomputer.records.files import DirectoryEntry, SignedUrl
from opencomputer.records.images import BuildLogEvent, ImageManifest, ImageStep, SnapshotRecord
from opencomputer.records.previews import (
    PreviewAuth,
    PreviewLink,
    PreviewRecord,
    RotatedPreviewAuth,
)
from opencomputer.records.sandboxes import (
    AllowedHosts,
    CreatedSandbox,
    HibernatedSandbox,
    IdleRule,
    SandboxDetail,
    SandboxStatus,
    SandboxSummary,
    WokenSandbox,
)
from opencomputer.records.scaling import Autoscale, LimitsSet, ScaledSandbox, ScalingLock
from opencomputer.records.secrets import (
    ProjectRecord,
    RevokeSecretResponse,
    SecretEntry,
    SecretStoreRecord,
    SetSecretResponse,
)
from opencomputer.records.tags import SandboxTags, TagKey, TagKeys
from opencomputer.records.terminals import OpenedTerminal, TerminalInfo
from opencomputer.records.usage import (
    CurrentOrgUsage,
    CurrentUsage,
    OrgUsage,
    SandboxUsage,
    SandboxUsageRow,
    TagUsage,
    TagUsageRow,
    UsageBucket,
    UsageInterval,
    UsageTotal,
)
from opencomputer.records.webhooks import (
    CreatedWebhook,
    WebhookDelivery,
    WebhookOptions,
    WebhookRecord,
)

__all__ = [
    "AllowedHosts",
    "ApiKeyEntry",
    "Autoscale",
    "BackgroundCommand",
    "BuildLogEvent",
    "CheckpointKind",
    "CheckpointRecord",
    "CommandProgress",
    "CommandResult",
    "CountedEntry",
    "CreatedApiKey",
    "CreatedPatch",
    "CreatedSandbox",
    "CreatedWebhook",
    "CurrentOrgUsage",
    "CurrentUsage",
    "DirectoryEntry",
    "EgressEntry",
    "EgressExplanation",
    "EgressPage",
    "EgressProtocol",
    "EgressSecrets",
    "EgressSuggestion",
    "EventPage",
    "EventRecord",
    "ExplainedSecret",
    "HibernatedSandbox",
    "IdleRule",
    "ImageManifest",
    "ImageStep",
    "LimitsSet",
    "OpenedTerminal",
    "OrgUsage",
    "OutputChunk",
    "PatchRecord",
    "PreviewAuth",
    "PreviewLink",
    "PreviewRecord",
    "ProjectRecord",
    "RedactedSecret",
    "RestoredCheckpoint",
    "RetentionPolicy",
    "RevokeSecretResponse",
    "RotatedPreviewAuth",
    "SandboxConfig",
    "SandboxDetail",
    "SandboxStatus",
    "SandboxSummary",
    "SandboxTags",
    "SandboxUsage",
    "SandboxUsageRow",
    "ScaledSandbox",
    "ScalingLock",
    "SecretEntry",
    "SecretStoreRecord",
    "SessionInfo",
    "SetSecretResponse",
    "SignedUrl",
    "SnapshotRecord",
    "SubstitutedSecret",
    "TagKey",
    "TagKeys",
    "TagUsage",
    "TagUsageRow",
    "TerminalInfo",
    "UsageBucket",
    "UsageInterval",
    "UsageTotal",
    "WebhookDelivery",
    "WebhookOptions",
    "WebhookRecord",
    "WithheldReason",
    "WithheldSecret",
    "WokenSandbox",
]
