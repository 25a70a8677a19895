"""Generates ``opencomputer.sync`` from ``opencomputer._async``.

hatchling runs it before it builds; ``python generate_sync.py`` does the same in a source tree.
The differences between the two are in ``opencomputer/_platform``.
"""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PATTERNS = {
    r"\bopencomputer\._async\b": "opencomputer.sync",
    r"\bopencomputer\._platform\.asynchronous\b": "opencomputer._platform.blocking",
    r"\bwebsockets\.asyncio\.client\b": "websockets.sync.client",
    r"\bAwaitable\[(\w+)\]": r"\1",
    r"\bAwaitable, ": "",
}
NAMES = {
    "AsyncClient": "Client",
    "AsyncExitStack": "ExitStack",
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "aclose": "close",
    "aiter_bytes": "iter_bytes",
    "aread": "read",
    "asynccontextmanager": "contextmanager",
    "enter_async_context": "enter_context",
}
WORDS_OF_DOCSTRINGS = {
    r"\basync (with|for)\b": r"\1",
    r"\bawait ": "",
    r": a function or a\s+coroutine\s+function\.": ": a function.",
    r"for asyncio, from which ``opencomputer.sync`` is generated": "for threads and scripts",
}
HEADER = "# Generated from {source} by generate_sync.py: change that.\n"


class SyncGenerator(BuildHookInterface[Any]):
    """The hook that hatchling runs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generates the package before its files are collected."""
        del version, build_data
        generate(Path(self.root) / "src" / "opencomputer")


def generate(package: Path) -> None:
    """Writes the files that changed, and removes those without a source."""
    target = package / "sync"
    target.mkdir(exist_ok=True)
    sources = {path.name: path for path in sorted((package / "_async").glob("*.py"))}
    # Both packages export the same names.
    sources["__init__.py"] = package / "__init__.py"
    for name, source in sources.items():
        header = HEADER.format(source=source.relative_to(package.parent).as_posix())
        text = header + to_sync(source.read_text(encoding="utf-8"))
        path = target / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in target.glob("*.py"):
        if path.name not in sources:
            path.unlink()


def to_sync(source: str) -> str:
    """The blocking form of a module."""
    for pattern, replacement in PATTERNS.items():
        source = re.sub(pattern, replacement, source)
    edits: list[tuple[tokenize.TokenInfo, str]] = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME and token.string in ("async", "await"):
            edits.append((token, ""))
        elif token.type == tokenize.NAME and token.string in NAMES:
            edits.append((token, NAMES[token.string]))
        elif token.type == tokenize.STRING and token.string.startswith('"""'):
            text = token.string
            for pattern, replacement in WORDS_OF_DOCSTRINGS.items():
                text = re.sub(pattern, replacement, text)
            edits.append((token, text))
    return _edited(source, edits)


def _edited(source: str, edits: list[tuple[tokenize.TokenInfo, str]]) -> str:
    lines = source.splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for token, replacement in reversed(edits):
        begin = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        if replacement == "" and source[end : end + 1] == " ":
            end += 1  # the space behind `async` and `await`
        source = source[:begin] + replacement + source[end:]
    return source


if __name__ == "__main__":
    generate(Path(__file__).parent / "src" / "opencomputer")
