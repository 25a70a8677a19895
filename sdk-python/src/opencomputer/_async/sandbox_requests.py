"""What the parts of a sandbox have in common."""

from __future__ import annotations

from typing import Any

from opencomputer._async.connection import Connection
from opencomputer._requests import ApiRequest, api_path


class SandboxRequests:
    """Requests below the path of one sandbox."""

    def __init__(self, connection: Connection, sandbox_id: str) -> None:
        self.sandbox_id = sandbox_id
        self._connection = connection

    def _request(self, method: Any, *segments: str, **options: Any) -> ApiRequest:
        return ApiRequest(method, api_path("sandboxes", self.sandbox_id, *segments), **options)
