"""API keys."""

from __future__ import annotations

from typing import TypedDict


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
