"""What has happened in the organization."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.follow import follow_stream
from opencomputer._async.send import request_record
from opencomputer._requests import ApiRequest, to_timestamp
from opencomputer.records import EventPage, EventRecord

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Events:
    """What has happened in the organization, in pages or as it happens.

    Every call takes the keywords of ``ConnectionOptions`` and raises ``OpenComputerError``.
    """

    @staticmethod
    async def list(
        *,
        sandbox_id: str | None = None,
        types: Sequence[str] | None = None,
        cursor: str | None = None,
        order: Literal["asc", "desc"] | None = None,
        limit: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> EventPage:
        """Returns a page of events. The next starts at its ``cursor``, even if it is empty yet.

        Args:
            sandbox_id: Only events of this sandbox, even after it was killed.
            types: Only events of these types, such as ``sandbox.killed``.
            cursor: That of an event or a page: only events after it, or before it with ``desc``.
            order: ``asc`` by default: the oldest first.
            limit: Events of the page, 1-1000. Default 100.
            since: The first moment of the events.
            until: The first moment after the events.
            **connection: Key and address of the service.
        """
        query = {
            **_chosen(sandbox_id, types),
            "cursor": cursor,
            "order": order,
            "limit": None if limit is None else str(limit),
            "since": to_timestamp(since),
            "until": to_timestamp(until),
        }
        request = ApiRequest("GET", "/events", query=query)
        return await request_record(resolve_connection(**connection), request, EventPage)

    @staticmethod
    def follow(
        *,
        sandbox_id: str | None = None,
        types: Sequence[str] | None = None,
        cursor: str | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> AsyncIterator[EventRecord]:
        """Iterates over events as they happen: those after ``cursor``, or new ones without it.

        Close the iterator to end it. While the service cannot be reached it
        tries again, and continues after the last event.

        Args:
            sandbox_id: As of ``list``.
            types: As of ``list``.
            cursor: That of the last event that you have, or of a page.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``connection_failed`` when the first connection fails;
                ``too_many_requests`` when the organization has as many streams as it may.
        """
        resolved = resolve_connection(**connection)
        query = _chosen(sandbox_id, types)
        return follow_stream(resolved, "/events", query, cursor, EventRecord)


def _chosen(sandbox_id: str | None, types: Sequence[str] | None) -> dict[str, str | None]:
    return {"sandboxId": sandbox_id, "type": None if types is None else ",".join(types)}
