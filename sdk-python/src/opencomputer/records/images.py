"""Images, the snapshots made of them, and the log of their build."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


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
