"""How to reach the service."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import SplitResult, urlsplit

import httpx

from opencomputer._platform.asynchronous import shared_client
from opencomputer.errors import OpenComputerError

DEFAULT_API_URL = "http://127.0.0.1:8080"


class ConnectionOptions(TypedDict, total=False):
    """Keywords of every call that is not a method of a connected object.

    - ``api_key``: ``osb_…``. Default: the environment's ``OPENCOMPUTER_API_KEY``.
    - ``api_url``: address of the service. Default: ``OPENCOMPUTER_API_URL``, then
      ``http://127.0.0.1:8080``. A trailing ``/`` is dropped; ``/api`` is added unless present.
    - ``http_client``: sends the requests, with its own proxies and certificates. Default: a
      client that all calls share. Command sessions make their own connections.
    - ``on_starting``: receives the progress of the service each time that a call waits for its
      start: a function or a coroutine function. A call waits for at most 10 minutes.
    """

    api_key: str | None
    api_url: str | None
    http_client: httpx.AsyncClient | None
    on_starting: Callable[[str], Any] | None


@dataclass(frozen=True, repr=False)
class Connection:
    """A validated connection. ``base_url`` ends in ``/api``."""

    api_key: str
    base_url: str
    http_client: httpx.AsyncClient | None
    on_starting: Callable[[str], Any] | None

    async def client(self) -> httpx.AsyncClient:
        """The client that sends the requests."""
        return self.http_client or await shared_client()


def resolve_connection(
    *,
    api_key: str | None = None,
    api_url: str | None = None,
    http_client: httpx.AsyncClient | None = None,
    on_starting: Callable[[str], Any] | None = None,
) -> Connection:
    """The connection that the options and the environment describe.

    Raises:
        OpenComputerError: ``missing_api_key``, ``invalid_api_key`` or ``invalid_api_url``,
            before anything is sent.
    """
    environment = os.environ
    key = environment.get("OPENCOMPUTER_API_KEY") if api_key is None else api_key
    url = environment.get("OPENCOMPUTER_API_URL") if api_url is None else api_url
    return Connection(_resolve_api_key(key), _resolve_base_url(url), http_client, on_starting)


def _resolve_api_key(given: str | None) -> str:
    api_key = (given or "").strip()
    if api_key == "":
        raise OpenComputerError(
            "missing_api_key",
            "No API key: set OPENCOMPUTER_API_KEY or pass api_key (`npm run serve` prints where "
            "the key is)",
        )
    if re.fullmatch(r"[\x21-\x7e]+", api_key) is None:
        raise OpenComputerError(
            "invalid_api_key",
            "The API key has invalid characters: expected osb_ and 64 hexadecimal digits",
        )
    return api_key


def _resolve_base_url(given: str | None) -> str:
    text = ((given or "").strip() or DEFAULT_API_URL).rstrip("/")
    if not _is_usable(text):
        raise OpenComputerError(
            "invalid_api_url",
            f"The API URL is malformed: expected something like {DEFAULT_API_URL}, without user "
            "name, query and fragment",
        )
    return text if text.endswith("/api") else f"{text}/api"


def _is_usable(text: str) -> bool:
    try:
        url = urlsplit(text)
        return _has_only_an_address(url) and httpx.URL(text).host != "" and url.port != 0
    except (ValueError, httpx.InvalidURL):
        return False


def _has_only_an_address(url: SplitResult) -> bool:
    return (
        url.scheme in ("http", "https")
        and bool(url.hostname)
        and url.username is None
        and url.password is None
        and url.query == ""
        and url.fragment == ""
    )
