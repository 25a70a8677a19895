"""What a sandbox exchanged with the network."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Literal

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.follow import follow_stream
from opencomputer._async.send import request_record
from opencomputer._requests import ApiRequest, api_path
from opencomputer.records import EgressEntry, EgressExplanation, EgressPage, EgressSuggestion

if TYPE_CHECKING:
    from typing_extensions import Unpack


class EgressLog:
    """The egress log of one sandbox, as ``sandbox.egress``, or by its id, even of a killed one."""

    def __init__(self, sandbox_id: str, **connection: Unpack[ConnectionOptions]) -> None:
        self._connection = resolve_connection(**connection)
        self._path = api_path("sandboxes", sandbox_id, "egress")

    async def list(
        self,
        *,
        cursor: str | None = None,
        order: Literal["asc", "desc"] | None = None,
        limit: int | None = None,
        refused: bool = False,
        host: str | None = None,
    ) -> EgressPage:
        """Returns a page of the log. The next starts at its ``cursor``, even if it is empty yet.

        Args:
            cursor: That of an entry or a page: only entries after it, or before it with ``desc``.
            order: ``asc`` by default: the oldest first.
            limit: Entries of the page, 1-1000. Default 100.
            refused: Only refused exchanges.
            host: Only this host, or with ``*.`` and a suffix the hosts below it.

        Raises:
            OpenComputerError: ``sandbox_not_found``, ``invalid_host_pattern``.
        """
        query = {
            **_chosen(refused, host),
            "cursor": cursor,
            "order": order,
            "limit": None if limit is None else str(limit),
        }
        request = ApiRequest("GET", self._path, query=query)
        return await request_record(self._connection, request, EgressPage)

    def follow(
        self, *, cursor: str | None = None, refused: bool = False, host: str | None = None
    ) -> AsyncIterator[EgressEntry]:
        """Iterates over entries as they are stored: those after ``cursor``, or new ones without it.

        Close the iterator to end it. While the service cannot be reached it tries again, and
        continues after the last entry.

        Args:
            cursor: That of the last entry that you have, or of a page.
            refused: Only refused exchanges.
            host: As of ``list``.

        Raises:
            OpenComputerError: ``sandbox_not_found``, ``invalid_host_pattern``;
                ``connection_failed`` when the first connection fails; ``too_many_requests`` when
                the organization has as many streams as it may.
        """
        query = _chosen(refused, host)
        return follow_stream(self._connection, self._path, query, cursor, EgressEntry)

    async def explain(self, url: str, *, method: str | None = None) -> EgressExplanation:
        """Explains what would happen to a request, and which rule decides.

        The name is resolved; nothing is sent to the host.

        Args:
            url: ``https://HOST/…``, ``http://HOST/…`` or ``tcp://HOST:PORT``.
            method: HTTP method. Default ``GET``.

        Raises:
            OpenComputerError: ``invalid_request``, ``sandbox_not_found``, ``sandbox_not_running``.
        """
        query = {"url": url, "method": method}
        request = ApiRequest("GET", f"{self._path}/explain", query=query)
        return await request_record(self._connection, request, EgressExplanation)

    async def suggest(self) -> EgressSuggestion:
        """Suggests the smallest allowlist, and the fewest hosts of each secret, for this log.

        Raises:
            NotFoundError: ``sandbox_not_found``.
        """
        request = ApiRequest("GET", f"{self._path}/suggestion")
        return await request_record(self._connection, request, EgressSuggestion)


def _chosen(refused: bool, host: str | None) -> dict[str, str | None]:
    return {"refused": "true" if refused else None, "host": host}
