"""Images: what a sandbox starts from, as steps."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from opencomputer._requests import to_json
from opencomputer._shapes import find_fault
from opencomputer.errors import OpenComputerError
from opencomputer.records import ImageManifest, ImageStep


class Image:
    """What a sandbox starts from, as steps on top of the base image.

    An image is immutable: each method returns a new one with one more step. The service builds it
    at its first use and caches it.

    Steps run as root. The variables and the working directory that they set hold for the steps
    after them and for every command in a sandbox. Relative paths start at the working directory,
    at first ``/home/sandbox``.
    """

    def __init__(
        self, steps: Sequence[ImageStep] = (), builder_memory_mb: int | None = None
    ) -> None:
        self._steps = tuple(steps)
        self._builder_memory_mb = builder_memory_mb

    @classmethod
    def base(cls) -> Image:
        """The platform's own image: Debian with Python, Node.js, git and build tools."""
        return cls()

    @classmethod
    def from_dict(cls, manifest: Mapping[str, Any]) -> Image:
        """The image of a manifest, as ``to_dict`` returns it.

        Raises:
            OpenComputerError: ``invalid_request`` when it is malformed.
        """
        fault = find_fault(ImageManifest, manifest, "manifest")
        if fault is not None:
            raise OpenComputerError(
                "invalid_request", f"The manifest of the image is malformed: {fault}"
            )
        return cls(manifest["steps"], manifest.get("builderMemoryMB") or None)

    def apt_install(self, packages: Sequence[str]) -> Image:
        """Installs Debian packages."""
        return self._with("apt_install", packages=_listed(packages, "packages"))

    def pip_install(self, packages: Sequence[str]) -> Image:
        """Installs Python packages for the system's Python: ``pandas``, ``requests==2.32.3``."""
        return self._with("pip_install", packages=_listed(packages, "packages"))

    def run_commands(self, *commands: str | Sequence[str]) -> Image:
        """Runs shell commands separately, in order; the first failure ends the build."""
        texts: list[str] = []
        for command in commands:
            texts.extend([command] if isinstance(command, str) else command)
        return self._with("run", commands=texts)

    def env(self, variables: Mapping[str, str]) -> Image:
        """Sets plain variables. Secrets and the ``envs`` of a sandbox override them."""
        return self._with("env", vars=dict(sorted(variables.items())))

    def workdir(self, path: str) -> Image:
        """Sets the working directory, which is created if it does not exist."""
        return self._with("workdir", path=path)

    def add_file(self, remote_path: str, content: str | bytes) -> Image:
        """Adds a file; text is written as UTF-8. Its owner is that of its directory."""
        data = content.encode() if isinstance(content, str) else content
        return self._with(
            "add_file", path=remote_path, content=b64encode(data).decode(), encoding="base64"
        )

    def add_local_file(self, local_path: str | Path, remote_path: str) -> Image:
        """Adds a local file with its current content.

        Raises:
            OpenComputerError: ``invalid_request`` when it cannot be read.
        """
        return self.add_file(remote_path, _read(Path(local_path)))

    def add_local_dir(self, local_path: str | Path, remote_path: str) -> Image:
        """Adds all files below a local directory with their current content.

        Links to files are followed; execute bits are not preserved.

        Raises:
            OpenComputerError: ``invalid_request`` when one cannot be read.
        """
        files = [
            {"relativePath": relative, "content": b64encode(_read(path)).decode()}
            for relative, path in _files_below(Path(local_path))
        ]
        return self._with("add_dir", path=remote_path, files=files)

    def builder_memory(self, memory_mb: int) -> Image:
        """Sets the memory of the sandbox that builds the image, in MB, 256-16384. Default 1024.

        It does not affect the image.
        """
        return Image(self._steps, memory_mb)

    def to_dict(self) -> ImageManifest:
        """The manifest, as it is sent to the service."""
        manifest: ImageManifest = {"base": "base", "steps": list(self._steps)}
        if self._builder_memory_mb is not None:
            manifest["builderMemoryMB"] = self._builder_memory_mb
        return manifest

    def cache_key(self) -> str:
        """Identifies the image in the service: the hexadecimal SHA-256 of its base and steps.

        The same steps with the same files have the same key.
        """
        return hashlib.sha256(to_json({"base": "base", "steps": list(self._steps)})).hexdigest()

    def _with(self, kind: Any, **args: Any) -> Image:
        return Image((*self._steps, {"type": kind, "args": args}), self._builder_memory_mb)


def _listed(names: Sequence[str], what: str) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"expected a list of {what}, got the text {names!r}")
    return list(names)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise OpenComputerError("invalid_request", f"Cannot read {path}: {error}") from error


def _files_below(directory: Path) -> list[tuple[str, Path]]:
    if not directory.is_dir():
        raise OpenComputerError(
            "invalid_request", f"Cannot read {directory}: expected a local directory"
        )
    found = [
        (path.relative_to(directory).as_posix(), path)
        for path in directory.rglob("*")
        if path.is_symlink() or not path.is_dir()
    ]
    for _, path in found:
        if not path.is_file():
            raise OpenComputerError(
                "invalid_request",
                f"Cannot add {path}: expected files and links to files, found something else",
            )
    # By UTF-16 code units, as the other SDKs sort: the same directory has the same cache key.
    return sorted(found, key=lambda entry: entry[0].encode("utf-16-be", "surrogatepass"))
