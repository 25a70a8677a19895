"""Sends requests and reads their responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import monotonic
from typing import TypeVar

import httpx

from opencomputer._async.connection import Connection
from opencomputer._platform.asynchronous import call, sleep
from opencomputer._requests import (
    RETRY_DELAY_SECONDS,
    START_SECONDS_MAX,
    ApiRequest,
    connection_error,
    is_retried,
    parse_response,
    response_error,
    retry_after_seconds,
)
from opencomputer.errors import NotFoundError, OpenComputerError

Result = TypeVar("Result")


@asynccontextmanager
async def exchange(
    connection: Connection, request: ApiRequest, *, is_repeated: bool = False
) -> AsyncIterator[httpx.Response]:
    """A request and its 2xx response, whose body is yet to be read.

    With ``is_repeated`` the request is sent again as by ``send_request``, until there is a
    response.

    Raises:
        OpenComputerError: For every other response, and for every failure until the end of the
            block, such as one of reading the body.
    """

    async def begin() -> httpx.Response:
        return await _begin(connection, request)

    response = await (_with_repetition(connection, request, begin) if is_repeated else begin())
    try:
        yield response
    except httpx.HTTPError as error:
        if not _is_of(error, response.request):
            raise
        raise connection_error(connection.base_url, request, error) from error
    finally:
        await response.aclose()


async def _begin(connection: Connection, request: ApiRequest) -> httpx.Response:
    """Sends a request and returns its 2xx response, whose body is yet to be read."""
    client = await connection.client()
    sent = client.build_request(**request.arguments(connection.base_url, connection.api_key))
    try:
        response = await client.send(sent, stream=True, follow_redirects=False)
        if response.is_success:
            return response
        try:
            await response.aread()
        finally:
            await response.aclose()
    except httpx.HTTPError as error:
        if not _is_of(error, sent):
            raise
        raise connection_error(connection.base_url, request, error) from error
    raise response_error(request, response)


async def send_request(
    connection: Connection,
    request: ApiRequest,
    read: Callable[[httpx.Response], Awaitable[Result]],
) -> Result:
    """Sends a request and returns what ``read`` makes of its 2xx response.

    A request that may be repeated is sent once more, 250 ms later, when the connection fails or
    the response is 502, 503 or 504. Any request is sent again while the service reports that it
    is starting, because it has then not acted. Cancelling the task gives the request up at once.
    """

    async def attempt() -> Result:
        async with exchange(connection, request) as response:
            return await read(response)

    return await _with_repetition(connection, request, attempt)


async def _with_repetition(
    connection: Connection, request: ApiRequest, attempt: Callable[[], Awaitable[Result]]
) -> Result:
    """Attempts a request once more where that may help."""

    async def send() -> Result:
        try:
            return await attempt()
        except OpenComputerError as error:
            if not is_retried(request, error):
                raise
        await sleep(RETRY_DELAY_SECONDS)
        return await attempt()

    return await _while_starting(connection, request, send)


async def _while_starting(
    connection: Connection, request: ApiRequest, send: Callable[[], Awaitable[Result]]
) -> Result:
    """Sends again for as long as the service is starting, at most ``START_SECONDS_MAX``."""
    give_up_at = monotonic() + START_SECONDS_MAX
    while True:
        try:
            return await send()
        except OpenComputerError as error:
            seconds = retry_after_seconds(error)
            if seconds is None or request.is_streamed or monotonic() + seconds > give_up_at:
                raise
            progress = str(error)
        if connection.on_starting is not None:
            await call(connection.on_starting, progress)
        await sleep(seconds)


async def request_record(
    connection: Connection, request: ApiRequest, shape: type[Result]
) -> Result:
    """Sends a request and returns its JSON, which has the shape."""

    async def read(response: httpx.Response) -> Result:
        await response.aread()
        return parse_response(request, response, shape)

    return await send_request(connection, request, read)


async def request_nothing(connection: Connection, request: ApiRequest) -> None:
    """Sends a request whose response has no body."""
    await send_request(connection, request, _read_nothing)


async def request_deletion(connection: Connection, request: ApiRequest) -> None:
    """Deletes an object.

    When the first response was lost on the way and the second is 404, the first request has
    done it.
    """

    async def send() -> None:
        try:
            async with exchange(connection, request) as response:
                return await _read_nothing(response)
        except OpenComputerError as error:
            if not is_retried(request, error):
                raise
            response_was_lost = error.status is None
        await sleep(RETRY_DELAY_SECONDS)
        try:
            async with exchange(connection, request) as response:
                await _read_nothing(response)
        except NotFoundError:
            if not response_was_lost:
                raise

    await _while_starting(connection, request, send)


def _is_of(error: httpx.HTTPError, sent: httpx.Request) -> bool:
    """Whether an error is of this request, and not of one that a callback of the user made."""
    try:
        return error.request is sent
    except RuntimeError:
        return False


async def _read_nothing(response: httpx.Response) -> None:
    await response.aread()
