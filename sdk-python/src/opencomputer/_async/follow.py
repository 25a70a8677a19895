"""Follows an event stream, and connects again when its connection ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypedDict, TypeVar

from opencomputer._async.build_events import read_events
from opencomputer._async.connection import Connection
from opencomputer._async.send import exchange, request_record
from opencomputer._platform.asynchronous import sleep
from opencomputer._requests import ApiRequest, parse_json
from opencomputer._shapes import find_fault
from opencomputer.errors import OpenComputerError

RECONNECT_SECONDS = 1.0
SILENCE_SECONDS_MAX = 60.0
"""A service responds at once, and sends something every 15 s."""
SERVER_ERROR = 500

Item = TypeVar("Item")


class Page(TypedDict):
    """What every page has: where the next one starts."""

    cursor: str


async def follow_stream(
    connection: Connection,
    path: str,
    query: Mapping[str, str | None],
    cursor: str | None,
    shape: type[Item],
) -> AsyncIterator[Item]:
    """The items of an event stream after a cursor, each of which has its own ``cursor``.

    Without a cursor they are those after the newest that the path lists. Once a connection was
    made, one that is lost is made again, after the last item.
    """
    if cursor is None:
        newest = ApiRequest("GET", path, query={"order": "desc", "limit": "1"})
        cursor = (await request_record(connection, newest, Page))["cursor"]
    was_connected = False
    while True:
        request = ApiRequest(
            "GET",
            path,
            query={**query, "cursor": cursor},
            accept="text/event-stream",
            deadline_seconds=SILENCE_SECONDS_MAX,
        )
        try:
            async with exchange(connection, request, is_repeated=True) as response:
                was_connected = True
                async for _, data in read_events(response.aiter_bytes()):
                    item = _parse_item(request, data, shape)
                    cursor = item["cursor"]
                    yield item
        except OpenComputerError as error:
            if not was_connected or not _is_temporary(error):
                raise
        await sleep(RECONNECT_SECONDS)


def _parse_item(request: ApiRequest, data: bytes, shape: Any) -> Any:
    item: Any = parse_json(data)
    fault = find_fault(shape, item)
    if fault is not None:
        raise OpenComputerError(
            "unexpected_response",
            f"GET {request.path} returned an event that this SDK does not know ({fault}): is the "
            "service of this SDK's version?",
            status=200,
        )
    return item


def _is_temporary(error: OpenComputerError) -> bool:
    if error.code in ("connection_failed", "request_timed_out"):
        return True
    return error.status is not None and error.status >= SERVER_ERROR
