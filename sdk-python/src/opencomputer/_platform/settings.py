"""Settings of the HTTP clients of both platforms."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import httpx

KEEPALIVE_SECONDS = 30.0
IDLE_CONNECTIONS_MAX = 20
PROBE_AFTER_SECONDS = 60


def client_settings(transport: Callable[..., Any]) -> dict[str, Any]:
    """Arguments of a client without time-outs and without a limit of connections.

    A command may run for hours before its response. TCP keep-alive detects a host that is gone.
    """
    limits = httpx.Limits(
        max_connections=None,
        max_keepalive_connections=IDLE_CONNECTIONS_MAX,
        keepalive_expiry=KEEPALIVE_SECONDS,
    )
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    if hasattr(socket, "TCP_KEEPIDLE"):
        options.append((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_AFTER_SECONDS))
    return {
        "transport": transport(verify=_ssl_context(), limits=limits, socket_options=options),
        "timeout": None,
        "follow_redirects": False,
    }


@lru_cache(maxsize=1)
def _ssl_context() -> ssl.SSLContext:
    """The context of all clients: loading the root certificates takes tens of milliseconds."""
    return httpx.create_ssl_context()
