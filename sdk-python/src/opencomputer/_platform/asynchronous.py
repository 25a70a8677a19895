"""The platform of the SDK for asyncio."""

from __future__ import annotations

import asyncio
import inspect
from asyncio import Event, Lock, sleep
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import httpx

from opencomputer._platform.settings import client_settings

__all__ = [
    "Event",
    "Lock",
    "Task",
    "call",
    "close_iterator",
    "is_set_within",
    "run_blocking",
    "shared_client",
    "sleep",
    "start",
]

Result = TypeVar("Result")

_clients: WeakKeyDictionary[
    asyncio.AbstractEventLoop, tuple[httpx.AsyncClient, AsyncGenerator[None, None]]
] = WeakKeyDictionary()


async def shared_client() -> httpx.AsyncClient:
    """The client of the running event loop, whose connections all calls share.

    Keys and URLs are part of each request. The client is closed when the loop ends.
    """
    loop = asyncio.get_running_loop()
    client, _ = _clients.get(loop, (None, None))
    if client is None or client.is_closed:
        for other in [other for other in _clients if other.is_closed()]:
            del _clients[other]
        client = httpx.AsyncClient(**client_settings(httpx.AsyncHTTPTransport))
        lifetime = _close_with_loop(client)
        _clients[loop] = (client, lifetime)
        await anext(lifetime)
    return client


async def _close_with_loop(client: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    """``asyncio.run`` closes the generators of its loop before the loop, and so this client."""
    try:
        yield
    finally:
        await client.aclose()


async def call(callback: Callable[..., Any], *args: object) -> None:
    """Calls a callback of the user, and waits for it when it is a coroutine function."""
    result = callback(*args)
    if inspect.isawaitable(result):
        await result


async def run_blocking(function: Callable[..., Result], *args: Any) -> Result:
    """Runs a blocking function, such as a read of a file, in a thread."""
    return await asyncio.to_thread(function, *args)


async def close_iterator(source: object) -> None:
    """Closes a generator after the last iteration."""
    if inspect.isasyncgen(source):
        await source.aclose()
    elif inspect.isgenerator(source):
        source.close()


async def is_set_within(event: Event, seconds: float) -> bool:
    """Waits for an event; False if the time ends first."""
    try:
        return await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        return False


class Task:
    """Work in the background of a session."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._task = asyncio.create_task(work)

    async def join(self) -> None:
        """Waits for the end, except in the work itself. A cancelled wait does not cancel it."""
        if self._task is not asyncio.current_task():
            await asyncio.wait([self._task])


def start(work: Callable[[], Awaitable[None]]) -> Task:
    """Starts work in the background."""

    async def run() -> None:
        await work()

    return Task(run())
