"""The contract server, which the tests of both SDKs share."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


class ContractServer:
    """A child process; see ``contract-server.ts``."""

    def __init__(self) -> None:
        program = PROJECT / "sdk-python" / "tests" / "contract-server.ts"
        self._process = subprocess.Popen(
            ["node", "--conditions=source", "--import", "tsx", str(program)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.greeting = self._read()
        self.url: str = self.greeting["url"]
        self.api_key: str = self.greeting["apiKey"]

    @property
    def connection(self) -> dict[str, Any]:
        """Connection options for this server."""
        return {"api_url": self.url, "api_key": self.api_key}

    @property
    def requests(self) -> list[str]:
        """Every request line so far, such as ``GET /api/sandboxes``."""
        found: list[str] = self._do({"do": "requests"})
        return found

    def forget_requests(self) -> None:
        self._do({"do": "forget requests"})

    def respond_next(
        self,
        status: int,
        body: str = "",
        *,
        part: str = "",
        headers: dict[str, str] | None = None,
        broken: bool = False,
    ) -> None:
        """Responds with this to the next request whose line contains ``part``."""
        response = {"kind": "response", "status": status, "body": body, "broken": broken}
        response["headers"] = headers or {}
        self._do({"do": "intercept", "part": part, "with": response})

    def be_silent_next(self, part: str = "") -> None:
        self._do({"do": "intercept", "part": part, "with": {"kind": "silence"}})

    def break_next(self, part: str = "") -> None:
        self._do({"do": "intercept", "part": part, "with": {"kind": "break"}})

    def lose_next_response(self, part: str) -> None:
        """The next request whose line holds ``part`` is served; its response never arrives."""
        self._do({"do": "lose response", "part": part})

    @property
    def aborted(self) -> int:
        """Number of requests without a response that their client aborted."""
        count: int = self._do({"do": "aborted"})
        return count

    def recommend_placement(self, name: str, hosts: list[str]) -> dict[str, list[str]] | None:
        """What the TypeScript SDK recommends."""
        found: dict[str, list[str]] | None = self._do(
            {"do": "recommend", "name": name, "hosts": hosts}
        )
        return found

    def drop_sockets(self) -> None:
        self._do({"do": "drop sockets"})

    def drop_event_streams(self) -> None:
        self._do({"do": "drop event streams"})

    def __enter__(self) -> ContractServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        self._process.stdout.close()

    def _do(self, task: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line != "", "the contract server has ended"
        return json.loads(line)
