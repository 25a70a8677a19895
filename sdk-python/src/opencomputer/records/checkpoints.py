"""Checkpoints, and the patches of their forks."""

from __future__ import annotations

from typing import Literal, TypedDict

from opencomputer.records.sandboxes import IdleRule

CheckpointKind = Literal["full", "disk_only"]


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
