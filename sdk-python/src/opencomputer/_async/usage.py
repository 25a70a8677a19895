"""What sandboxes use of their hosts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from opencomputer._async.connection import ConnectionOptions, resolve_connection
from opencomputer._async.send import request_record
from opencomputer._requests import ApiRequest, api_path, to_timestamp
from opencomputer.records import OrgUsage, SandboxUsage, TagUsage, UsageInterval

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Usage:
    """What sandboxes use of their hosts: CPU, memory, disk and network, now and over time.

    Usage is of whole hours or days, those of ``since`` and ``until`` included. No call wakes a
    sandbox. Every call takes the keywords of ``ConnectionOptions`` and raises
    ``OpenComputerError``, with ``invalid_request`` for a time that it cannot have.
    """

    @staticmethod
    async def of_org(
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        interval: UsageInterval | None = None,
        tags: Mapping[str, str] | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> OrgUsage:
        """Returns the usage of all sandboxes, and a page of that of each, by descending CPU time.

        Args:
            since: The first moment; by default 24 hours before ``until``.
            until: The first moment after the usage; by default now.
            interval: Length of the buckets; by default ``hour`` as long as hours are kept, 7 days,
                otherwise ``day``.
            tags: Only sandboxes that have all of these tags.
            cursor: That of the previous page.
            limit: Rows of the page, 1-1000. Default 100.
            **connection: Key and address of the service.
        """
        query = {**usage_period(since, until, interval), **_rows(tags, cursor, limit)}
        request = ApiRequest("GET", "/usage", query=query)
        return await request_record(resolve_connection(**connection), request, OrgUsage)

    @staticmethod
    async def by_tag(
        key: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        interval: UsageInterval | None = None,
        tags: Mapping[str, str] | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> TagUsage:
        """Returns usage by the values of a tag: sandboxes without the tag have the value None.

        Args:
            key: Key of the tag.
            since: As of ``of_org``.
            until: As of ``of_org``.
            interval: As of ``of_org``.
            tags: As of ``of_org``.
            cursor: As of ``of_org``.
            limit: As of ``of_org``.
            **connection: Key and address of the service.
        """
        query = {**usage_period(since, until, interval), **_rows(tags, cursor, limit)}
        request = ApiRequest("GET", api_path("usage", "tags", key), query=query)
        return await request_record(resolve_connection(**connection), request, TagUsage)

    @staticmethod
    async def of_sandbox(
        sandbox_id: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        interval: UsageInterval | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> SandboxUsage:
        """Returns the usage of one sandbox, even of a killed one.

        Args:
            sandbox_id: ``sb-…``.
            since: As of ``of_org``.
            until: As of ``of_org``.
            interval: As of ``of_org``.
            **connection: Key and address of the service.

        Raises:
            NotFoundError: ``sandbox_not_found``.
        """
        path = api_path("sandboxes", sandbox_id, "usage")
        request = ApiRequest("GET", path, query=usage_period(since, until, interval))
        return await request_record(resolve_connection(**connection), request, SandboxUsage)


def usage_period(
    since: datetime | None, until: datetime | None, interval: UsageInterval | None
) -> dict[str, str | Sequence[str] | None]:
    """Builds the query for the usage of a period."""
    return {
        "since": to_timestamp(since),
        "until": to_timestamp(until),
        "interval": interval,
    }


def _rows(
    tags: Mapping[str, str] | None, cursor: str | None, limit: int | None
) -> dict[str, str | Sequence[str] | None]:
    return {
        "tag": [f"{key}={value}" for key, value in (tags or {}).items()],
        "cursor": cursor,
        "limit": None if limit is None else str(limit),
    }
