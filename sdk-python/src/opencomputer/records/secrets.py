"""Secret stores and projects, and the secrets of both."""

from __future__ import annotations

from typing import Literal, TypedDict


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
