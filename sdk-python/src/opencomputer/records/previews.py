"""Previews: URLs that lead to servers in a sandbox."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class _PreviewAuth(TypedDict):
    token: str


class PreviewAuth(_PreviewAuth, total=False):
    """The bearer token that previews need: ``auto``, or your own of at least 16 characters."""

    scheme: Literal["bearer"]


class _PreviewRecord(TypedDict):
    id: str
    sandboxId: str
    orgId: str
    hostname: str
    port: int
    sslStatus: Literal["none", "external"]
    authConfig: dict[str, Any]
    url: str
    createdAt: str


class PreviewRecord(_PreviewRecord, total=False):
    """A preview: HTTP requests for ``url`` reach the server on ``port`` of the sandbox.

    ``sslStatus`` is ``external`` where a proxy of the operator's ends TLS, else ``none``.
    """

    customHostname: str


class RotatedPreviewAuth(TypedDict):
    """The new token of a sandbox's previews, which is not shown again."""

    previewAuthToken: str
    scheme: Literal["bearer"]


class PreviewLink(TypedDict):
    """A link that opens a preview in a browser; ``expiresAt`` is None where it needs no token."""

    url: str
    expiresAt: str | None
