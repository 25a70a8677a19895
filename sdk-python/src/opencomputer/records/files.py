"""Files of a sandbox."""

from __future__ import annotations

from typing import TypedDict


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
