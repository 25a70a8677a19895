"""Tags of sandboxes."""

from __future__ import annotations

from typing import TypedDict


class SandboxTags(TypedDict):
    """The tags of a sandbox; ``tagsLastUpdatedAt`` is None when they never changed."""

    tags: dict[str, str]
    tagsLastUpdatedAt: str | None


class TagKey(TypedDict):
    """A tag key in use, with how many sandboxes and how many different values it has."""

    key: str
    sandboxCount: int
    valueCount: int


class TagKeys(TypedDict):
    """All tag keys in use."""

    keys: list[TagKey]
