"""Reads the log of a build as it arrives, and its result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any, TypeVar

import httpx

from opencomputer._async.connection import Connection
from opencomputer._async.send import send_request
from opencomputer._error_statuses import error_statuses
from opencomputer._platform.asynchronous import call
from opencomputer._requests import ApiRequest, parse_json, parse_response
from opencomputer._shapes import find_fault
from opencomputer.errors import OpenComputerError, service_error
from opencomputer.records import BuildLogEvent

Result = TypeVar("Result")


async def request_with_log(
    connection: Connection,
    request: ApiRequest,
    shape: type[Result],
    on_build_log: Callable[[BuildLogEvent], Any] | None,
) -> Result:
    """Sends a request whose response is a stream of events: a build log, and the result at its end.

    It has no time-out; the service keeps the connection alive.
    """
    request = replace(request, accept="text/event-stream", deadline_seconds=None)

    async def read(response: httpx.Response) -> Result:
        kind = response.headers.get("content-type", "")
        if not kind.startswith("text/event-stream"):
            await response.aread()
            return parse_response(request, response, shape)
        async for name, data in read_events(response.aiter_bytes()):
            value: Any = parse_json(data)
            if name == "build_log" and on_build_log is not None:
                if find_fault(BuildLogEvent, value) is None:
                    await call(on_build_log, value)
            elif name == "result":
                fault = find_fault(shape, value)
                if fault is not None:
                    raise _unexpected_event(request, fault)
                return value  # type: ignore[no-any-return]
            elif name == "error":
                raise _build_error(request, value)
        raise OpenComputerError(
            "connection_failed",
            f"The connection to OpenComputer at {connection.base_url} ended during "
            f"{request.method} {request.path}: it may have been carried out; check before you "
            "repeat it",
        )

    return await send_request(connection, request, read)


async def read_events(parts: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, bytes]]:
    """Yields name and data of each server-sent event, without the fields for reconnecting.

    Lines end with LF or CR LF alone: the JSON in them may contain other line separators.
    """
    name = "message"
    data: list[bytes] = []
    pieces: list[bytes] = []
    async for part in parts:
        first, *others = part.split(b"\n")
        pieces.append(first)
        if not others:
            continue
        lines = [b"".join(pieces), *others[:-1]]
        pieces = [others[-1]]
        for line in lines:
            field, _, value = line.removesuffix(b"\r").partition(b":")
            value = value.removeprefix(b" ")
            if field == b"event":
                name = value.decode(errors="replace")
            elif field == b"data":
                data.append(value)
            elif line in (b"", b"\r"):
                if data:
                    yield name, b"\n".join(data)
                name, data = "message", []


def _build_error(request: ApiRequest, value: Any) -> OpenComputerError:
    match value:
        case {"error": str(message), **others}:
            code = str(others.get("code", "image_build_failed"))
            # The status of the same error in a plain response.
            return service_error(code, message, others, status=error_statuses.get(code))
    return _unexpected_event(request, "it is no error of the service")


def _unexpected_event(request: ApiRequest, fault: str) -> OpenComputerError:
    return OpenComputerError(
        "unexpected_response",
        f"{request.method} {request.path} returned an event that this SDK does not know ({fault})"
        ": is the service of this SDK's version?",
        status=200,
    )
