"""The platform of the SDK for threads."""

from __future__ import annotations

import atexit
import inspect
import os
import threading
from collections.abc import Callable
from threading import Event, Lock
from time import sleep
from typing import Any, TypeVar

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

_clients: dict[int, httpx.Client] = {}
_clients_lock = threading.Lock()


def shared_client() -> httpx.Client:
    """The client of this process, whose connections all calls share.

    Keys and URLs are part of each request. A forked process has its own client.
    """
    with _clients_lock:
        client = _clients.get(os.getpid())
        if client is None or client.is_closed:
            client = httpx.Client(**client_settings(httpx.HTTPTransport))
            _clients[os.getpid()] = client
            atexit.register(client.close)
        return client


def call(callback: Callable[..., Any], *args: object) -> None:
    """Calls a callback of the user."""
    callback(*args)


def run_blocking(function: Callable[..., Result], *args: Any) -> Result:
    """Runs a function in this thread."""
    return function(*args)


def close_iterator(source: object) -> None:
    """Closes a generator after the last iteration."""
    if inspect.isgenerator(source):
        source.close()


def is_set_within(event: Event, seconds: float) -> bool:
    """Waits for an event; False if the time ends first."""
    return event.wait(seconds)


class Task:
    """Work in the background of a session."""

    def __init__(self, work: Callable[[], None]) -> None:
        # A daemon thread does not keep the program alive.
        self._thread = threading.Thread(target=work, name="opencomputer-session", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits for the end, except in the work itself."""
        if self._thread is not threading.current_thread():
            self._thread.join()


def start(work: Callable[[], None]) -> Task:
    """Starts work in the background."""
    return Task(work)
