"""Sandboxes: their state, their life cycle, and the hosts that they may reach."""

from __future__ import annotations

from typing import Literal, TypedDict

from opencomputer.records.webhooks import CreatedWebhook

SandboxStatus = Literal["running", "hibernated", "stopped"]
IdleRule = Literal["requests", "cpu"]


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


class _AllowedHosts(TypedDict):
    sandboxID: str
    egressAllowlist: list[str]
    perSecretAllowedHosts: dict[str, list[str]]


class AllowedHosts(_AllowedHosts, total=False):
    """What the proxy enforces for a sandbox now.

    An empty ``egressAllowlist`` allows all hosts. ``perSecretAllowedHosts`` has the secrets with
    host limits, ``secretsForAllHosts``, which is present when there are any, those without. The
    names of the project and of the stores are present when it has one.
    """

    project: str
    secretStore: str
    baseSecretStore: str
    secretsForAllHosts: list[str]
