"""The egress log, and what it explains and suggests."""

from __future__ import annotations

from typing import Literal, TypedDict

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
    """What would happen to a request.

    ``rule`` is the rule that decides: ``open`` without a secret store and an allowlist,
    ``no_allowlist``, ``allowlist_entry`` with the ``entry`` that allows it, ``not_in_allowlist``,
    ``address`` for a host that is not on the public internet, or ``name_not_resolved``.
    """

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
