"""Virtual machines for software agents, with secrets that they can use and never see."""

from opencomputer._async.api_key import ApiKey
from opencomputer._async.commands import Commands
from opencomputer._async.connection import DEFAULT_API_URL, ConnectionOptions
from opencomputer._async.files import Files
from opencomputer._async.project import Project
from opencomputer._async.sandbox import Sandbox
from opencomputer._async.secret_store import SecretStore
from opencomputer._async.session import CommandSession
from opencomputer._async.shell import Shell
from opencomputer._async.snapshots import Snapshots
from opencomputer._async.terminal import Terminal
from opencomputer._async.terminals import Terminals
from opencomputer._async.upload_source import StreamSource
from opencomputer.errors import (
    NotFoundError,
    OpenComputerError,
    SecretWarning,
    ShellBusyError,
    ShellClosedError,
)
from opencomputer.image import Image
from opencomputer.placements import PlacementRecommendation, recommend_placement
from opencomputer.records import (
    AllowedHosts,
    ApiKeyEntry,
    BackgroundCommand,
    BuildLogEvent,
    CheckpointKind,
    CheckpointRecord,
    CommandProgress,
    CommandResult,
    CreatedApiKey,
    CreatedSandbox,
    DirectoryEntry,
    HibernatedSandbox,
    IdleRule,
    ImageManifest,
    ImageStep,
    OutputChunk,
    PatchRecord,
    ProjectRecord,
    RestoredCheckpoint,
    RetentionPolicy,
    SandboxConfig,
    SandboxDetail,
    SandboxStatus,
    SandboxSummary,
    SandboxTags,
    SecretEntry,
    SecretStoreRecord,
    SessionInfo,
    SignedUrl,
    SnapshotRecord,
    TagKey,
    TerminalInfo,
    WokenSandbox,
)

__all__ = [
    "DEFAULT_API_URL",
    "AllowedHosts",
    "ApiKey",
    "ApiKeyEntry",
    "BackgroundCommand",
    "BuildLogEvent",
    "CheckpointKind",
    "CheckpointRecord",
    "CommandProgress",
    "CommandResult",
    "CommandSession",
    "Commands",
    "ConnectionOptions",
    "CreatedApiKey",
    "CreatedSandbox",
    "DirectoryEntry",
    "Files",
    "HibernatedSandbox",
    "IdleRule",
    "Image",
    "ImageManifest",
    "ImageStep",
    "NotFoundError",
    "OpenComputerError",
    "OutputChunk",
    "PatchRecord",
    "PlacementRecommendation",
    "Project",
    "ProjectRecord",
    "RestoredCheckpoint",
    "RetentionPolicy",
    "Sandbox",
    "SandboxConfig",
    "SandboxDetail",
    "SandboxStatus",
    "SandboxSummary",
    "SandboxTags",
    "SecretEntry",
    "SecretStore",
    "SecretStoreRecord",
    "SecretWarning",
    "SessionInfo",
    "Shell",
    "ShellBusyError",
    "ShellClosedError",
    "SignedUrl",
    "SnapshotRecord",
    "Snapshots",
    "StreamSource",
    "TagKey",
    "Terminal",
    "TerminalInfo",
    "Terminals",
    "WokenSandbox",
    "recommend_placement",
]
