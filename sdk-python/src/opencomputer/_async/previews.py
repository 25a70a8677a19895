"""The previews of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opencomputer._async.sandbox_requests import SandboxRequests
from opencomputer._async.send import request_deletion, request_record
from opencomputer._requests import without_none
from opencomputer.records import PreviewLink, PreviewRecord, RotatedPreviewAuth


class SandboxPreviews(SandboxRequests):
    """The part of a sandbox that lets HTTP requests reach its servers."""

    async def create_preview_url(
        self,
        *,
        port: int,
        domain: str | None = None,
        auth_config: Mapping[str, Any] | None = None,
    ) -> PreviewRecord:
        """Creates a preview: HTTP requests for its ``url`` reach the server on this port.

        Requests wake the sandbox. If the port has a preview, it is returned.

        Args:
            port: TCP port that a server in the sandbox listens on, 1-65535 without 7070; the
                loopback address is enough.
            domain: Another host name for the preview, which has to resolve to the service.
            auth_config: Stored with the preview and returned unchanged.

        Raises:
            OpenComputerError: ``invalid_request``, ``limit_exceeded``; ``name_in_use`` for a domain
                of another preview.
        """
        body = without_none(
            port=port, domain=domain, authConfig=None if auth_config is None else dict(auth_config)
        )
        request = self._request("POST", "preview", json=body, idempotent=True)
        return await request_record(self._connection, request, PreviewRecord)

    async def list_preview_urls(self) -> list[PreviewRecord]:
        """Lists the sandbox's previews, by port."""
        request = self._request("GET", "preview")
        return await request_record(self._connection, request, list[PreviewRecord])

    async def delete_preview_url(self, port: int) -> None:
        """Deletes the preview of a port.

        Raises:
            NotFoundError: ``preview_not_found``.
        """
        await request_deletion(self._connection, self._request("DELETE", "preview", str(port)))

    async def rotate_preview_auth(self) -> RotatedPreviewAuth:
        """Replaces the token of all previews, and returns the new one, which is not shown again.

        The old token is refused at once, and connections that used it are closed. Previews
        without a token require this one from now on.
        """
        request = self._request("POST", "preview", "rotate")
        return await request_record(self._connection, request, RotatedPreviewAuth)

    async def create_preview_link(self, port: int) -> PreviewLink:
        """Creates a link that opens a preview in a browser.

        If previews need a token, the link works once, within five minutes.

        Raises:
            NotFoundError: ``preview_not_found``.
        """
        request = self._request("POST", "preview", str(port), "link")
        return await request_record(self._connection, request, PreviewLink)
