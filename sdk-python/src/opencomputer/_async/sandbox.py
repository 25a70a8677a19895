"""Sandboxes."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opencomputer._async.build_events import request_with_log
from opencomputer._async.checkpoint_patches import CheckpointPatches
from opencomputer._async.checkpoints import SandboxCheckpoints
from opencomputer._async.commands import Commands
from opencomputer._async.connection import Connection, ConnectionOptions, resolve_connection
from opencomputer._async.egress_log import EgressLog
from opencomputer._async.files import Files
from opencomputer._async.previews import SandboxPreviews
from opencomputer._async.scaling import SandboxScaling
from opencomputer._async.send import request_deletion, request_nothing, request_record
from opencomputer._async.tags import SandboxTagging
from opencomputer._async.terminals import Terminals
from opencomputer._async.usage import usage_period
from opencomputer._requests import SAVE_SECONDS, ApiRequest, api_path, without_none
from opencomputer.errors import NotFoundError
from opencomputer.image import Image
from opencomputer.records import (
    AllowedHosts,
    BuildLogEvent,
    CreatedSandbox,
    HibernatedSandbox,
    IdleRule,
    PreviewAuth,
    SandboxDetail,
    SandboxStatus,
    SandboxSummary,
    SandboxUsage,
    UsageInterval,
    WebhookOptions,
    WokenSandbox,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Sandbox(
    SandboxScaling, SandboxCheckpoints, CheckpointPatches, SandboxPreviews, SandboxTagging
):
    """A virtual machine.

    ``Sandbox.create`` creates one, ``Sandbox.connect`` connects to an existing one. A context
    manager kills it at the end::

        async with await Sandbox.create() as sandbox:
            result = await sandbox.exec.run("uname -a")

    Every call raises ``OpenComputerError``: ``sandbox_not_found``, a ``NotFoundError``, for a
    sandbox that does not exist, and most ``sandbox_not_running`` for one that was killed.

    Attributes:
        sandbox_id: ``sb-…``, for ``Sandbox.connect``.
        info: The record of the sandbox when this object was created.
        exec: Runs commands.
        commands: The same as ``exec``.
        files: Reads and writes files.
        pty: Opens terminals.
        egress: What it exchanged with the network, and what it could.
    """

    def __init__(self, connection: Connection, info: CreatedSandbox | SandboxDetail) -> None:
        super().__init__(connection, info["sandboxID"])
        self.info = info
        self.exec = Commands(connection, self.sandbox_id)
        self.commands = self.exec
        self.files = Files(connection, self.sandbox_id)
        self.pty = Terminals(connection, self.sandbox_id)
        self.egress = EgressLog(
            self.sandbox_id,
            api_key=connection.api_key,
            api_url=connection.base_url,
            http_client=connection.http_client,
            on_starting=connection.on_starting,
        )

    @property
    def id(self) -> str:
        """The same as ``sandbox_id``."""
        return self.sandbox_id

    def __repr__(self) -> str:
        return f"<Sandbox {self.sandbox_id}>"

    async def __aenter__(self) -> Sandbox:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.kill()
        except NotFoundError:
            return  # The block has killed it.

    @staticmethod
    async def create(
        *,
        project: str | None = None,
        secret_store: str | None = None,
        snapshot: str | None = None,
        image: Image | None = None,
        timeout: int | None = None,
        idle: IdleRule | None = None,
        envs: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        cpu_count: int | None = None,
        memory_mb: int | None = None,
        disk_mb: int | None = None,
        template: str | None = None,
        preview_auth: PreviewAuth | None = None,
        webhooks: Sequence[WebhookOptions] | None = None,
        on_build_log: Callable[[BuildLogEvent], Any] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> Sandbox:
        """Creates a sandbox; returns when it accepts commands.

        What is None falls to the project's value, then to the platform's. The request is never
        sent twice, because a sandbox may have been created although the response was lost.

        Args:
            project: Name of the project whose defaults and secrets the sandbox gets.
            secret_store: Name of the secret store whose secrets it gets, as sealed tokens. With
                ``project`` they are added to the project's own secrets and override them.
            snapshot: Name of the snapshot to start from. Not together with ``image``.
            image: What to start from instead of the base image. It is built unless it
                exists already.
            timeout: Idle time-out in seconds; 0 is never. Platform default 300. Each use of the
                sandbox restarts it. With a ``project``, 0 is as None: ``set_timeout`` sets
                it afterwards.
            idle: What counts as use. ``requests``, the default: commands, files and every other
                call, and live WebSocket traffic. ``cpu``: also 10 seconds in which the sandbox
                takes at least 5 percent of one CPU, so that work in the background keeps it awake.
            envs: Plain variables of every command. A variable with a secret's name replaces that
                secret.
            metadata: Labels for your own use; the sandbox does not see them.
            cpu_count: Virtual CPUs, 1-8. Platform default 1.
            memory_mb: Memory in MB, 256-16384. Platform default 1024.
            disk_mb: Disk in MB, 20480-262144. Platform default 20480; it takes disk space of the
                host as it is written to.
            template: Template; ``base`` is the platform's.
            preview_auth: Makes the sandbox's previews require a bearer token:
                ``{"token": "auto"}``, which the service makes, or one of your own of at least
                16 characters. It is ``info["previewAuthToken"]`` of the created sandbox, and
                returned nowhere else.
            webhooks: Webhooks that get the events of this sandbox and end with it, at most 5.
                They are ``info["webhooks"]`` of the created sandbox, with their secrets.
            on_build_log: Gets each line of the build of ``image``, or of a snapshot that is being
                built: a function or a coroutine function.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``secret_store_not_found``, ``project_not_found``,
                ``snapshot_not_found``, ``image_build_failed``, ``invalid_request``,
                ``limit_exceeded``; ``too_many_requests``, ``limit_reached`` and
                ``capacity_exhausted`` when there are as many sandboxes as there may be.
        """
        resolved = resolve_connection(**connection)
        body = without_none(
            project=project,
            secretStore=secret_store,
            snapshot=snapshot,
            image=None if image is None else image.to_dict(),
            timeout=timeout,
            idle=idle,
            envs=_copy(envs),
            metadata=_copy(metadata),
            cpuCount=cpu_count,
            memoryMB=memory_mb,
            diskMB=disk_mb,
            templateID=template,
            previewAuth=preview_auth,
            webhooks=None if webhooks is None else [*webhooks],
        )
        request = ApiRequest("POST", "/sandboxes", json=body)
        if image is None and not snapshot:
            info = await request_record(resolved, request, CreatedSandbox)
        else:
            info = await request_with_log(resolved, request, CreatedSandbox, on_build_log)
        return Sandbox(resolved, info)

    @staticmethod
    async def create_from_checkpoint(
        checkpoint_id: str,
        *,
        secret_store: str | None = None,
        timeout: int | None = None,
        idle: IdleRule | None = None,
        envs: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        memory_mb: int | None = None,
        restart_sessions: Sequence[str] | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> Sandbox:
        """Creates a sandbox from a checkpoint: a fork.

        It continues from the moment of the checkpoint and shares nothing with its parent. What is
        None has the parent's value. The service waits up to 30 s for a checkpoint that is still
        being made.

        Args:
            checkpoint_id: UUID of the checkpoint, as in ``(await create_checkpoint(…))["id"]``.
            secret_store: Name of a secret store whose secrets are added to those of the checkpoint
                and override them.
            timeout: Idle time-out in seconds; 0 is never.
            idle: What counts as use, as of ``create``.
            envs: Plain variables, added to the parent's.
            metadata: Labels for your own use; the sandbox does not see them.
            memory_mb: Memory in MB, 256-16384.
            restart_sessions: Ids of command sessions, at most 16. Their commands are killed before
                anything runs in the fork, and started again under the same ids, with the fork's
                variables.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``checkpoint_not_found``, ``checkpoint_not_ready``,
                ``checkpoint_failed``, ``secret_store_not_found``, ``session_not_found``; and when
                there are as many sandboxes as there may be, as ``create``.
        """
        resolved = resolve_connection(**connection)
        body = without_none(
            secretStore=secret_store,
            timeout=timeout,
            idle=idle,
            envs=_copy(envs),
            metadata=_copy(metadata),
            memoryMB=memory_mb,
            restartSessions=None if restart_sessions is None else [*restart_sessions],
        )
        path = api_path("sandboxes", "from-checkpoint", checkpoint_id)
        # Each of its patches may take five minutes.
        request = ApiRequest("POST", path, json=body, deadline_seconds=None)
        return Sandbox(resolved, await request_record(resolved, request, CreatedSandbox))

    @staticmethod
    async def connect(sandbox_id: str, **connection: Unpack[ConnectionOptions]) -> Sandbox:
        """Finds a sandbox by its id, without waking it.

        One that was killed is not found, even while ``get`` still returns it.

        Raises:
            NotFoundError: ``sandbox_not_found``.
        """
        info = await Sandbox.get(sandbox_id, **connection)
        if info["status"] == "stopped":
            raise NotFoundError(
                "sandbox_not_found",
                f"Sandbox {sandbox_id} was killed or has ended: create another with Sandbox.create",
                status=404,
            )
        return Sandbox(resolve_connection(**connection), info)

    @staticmethod
    async def get(sandbox_id: str, **connection: Unpack[ConnectionOptions]) -> SandboxDetail:
        """Returns the record of a sandbox, for some time also of a killed one.

        Raises:
            NotFoundError: ``sandbox_not_found``.
        """
        request = ApiRequest("GET", api_path("sandboxes", sandbox_id))
        return await request_record(resolve_connection(**connection), request, SandboxDetail)

    @staticmethod
    async def list(
        *, status: SandboxStatus | None = None, **connection: Unpack[ConnectionOptions]
    ) -> builtins.list[SandboxSummary]:
        """Lists the organization's sandboxes of a status, newest first.

        Args:
            status: Only sandboxes of this status. Default: running and hibernated ones.
            **connection: Key and address of the service.
        """
        request = ApiRequest("GET", "/sandboxes", {"status": status})
        shape = builtins.list[SandboxSummary]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def kill_by_id(
        sandbox_id: str,
        *,
        delete_secret_store: bool = False,
        **connection: Unpack[ConnectionOptions],
    ) -> None:
        """Kills a sandbox by its id, and deletes its memory and disk. Its checkpoints are kept.

        The options are those of ``kill``.

        Raises:
            NotFoundError: ``sandbox_not_found``.
            OpenComputerError: ``secret_store_in_use``.
        """
        await _kill(resolve_connection(**connection), sandbox_id, delete_secret_store)

    async def kill(self, *, delete_secret_store: bool = False) -> None:
        """Kills this sandbox, and deletes its memory and disk. Its checkpoints are kept.

        Args:
            delete_secret_store: Also deletes the secret store that it was created with. If another
                sandbox or a checkpoint uses the store, nothing is done and the error is
                ``secret_store_in_use``.

        Raises:
            NotFoundError: ``sandbox_not_found``.
            OpenComputerError: ``secret_store_in_use``.
        """
        await _kill(self._connection, self.sandbox_id, delete_secret_store)

    async def is_running(self) -> bool:
        """Whether it is running: False if it is hibernated, was killed or does not exist."""
        try:
            return (await self.get_info())["status"] == "running"
        except NotFoundError:
            return False

    async def get_info(self) -> SandboxDetail:
        """Returns the current record of this sandbox.

        Raises:
            NotFoundError: ``sandbox_not_found``.
        """
        return await request_record(self._connection, self._request("GET"), SandboxDetail)

    async def usage(
        self,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        interval: UsageInterval | None = None,
    ) -> SandboxUsage:
        """Returns what the sandbox uses of its host, now and over time, without waking it.

        Args:
            since: The first moment; by default 24 hours before ``until``.
            until: The first moment after the usage; by default now.
            interval: Length of the buckets; by default ``hour`` as long as hours are kept, 7 days,
                otherwise ``day``.

        Raises:
            OpenComputerError: ``sandbox_not_found``, ``invalid_request``.
        """
        path = api_path("sandboxes", self.sandbox_id, "usage")
        request = ApiRequest("GET", path, query=usage_period(since, until, interval))
        return await request_record(self._connection, request, SandboxUsage)

    async def set_timeout(self, seconds: int) -> None:
        """Sets the idle time-out, in seconds from now; 0 is never.

        Raises:
            OpenComputerError: ``invalid_request``.
        """
        request = self._request("POST", "timeout", json={"timeout": seconds}, idempotent=True)
        await request_nothing(self._connection, request)

    async def hibernate(self) -> HibernatedSandbox:
        """Saves the sandbox with its memory and frees its resources on the host.

        Its next use wakes it, and its processes continue.
        """
        request = self._request("POST", "hibernate", idempotent=True, deadline_seconds=SAVE_SECONDS)
        return await request_record(self._connection, request, HibernatedSandbox)

    async def wake(self, *, timeout: int | None = None) -> WokenSandbox:
        """Wakes the sandbox, if it is hibernated; returns when it accepts commands.

        Args:
            timeout: Idle time-out from now on, in seconds; 0 is never. None: unchanged.
        """
        body = without_none(timeout=timeout)
        # Each patch that a fork has not run yet may take five minutes.
        request = self._request("POST", "wake", json=body, idempotent=True, deadline_seconds=None)
        return await request_record(self._connection, request, WokenSandbox)

    async def allowed_hosts(self) -> AllowedHosts:
        """Returns the hosts that it may reach, and those that each secret may be sent to."""
        request = self._request("GET", "allowed-hosts")
        return await request_record(self._connection, request, AllowedHosts)


async def _kill(connection: Connection, sandbox_id: str, delete_secret_store: bool) -> None:
    query = {"deleteSecretStore": "true" if delete_secret_store else None}
    request = ApiRequest("DELETE", api_path("sandboxes", sandbox_id), query)
    await request_deletion(connection, request)


def _copy(variables: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if variables is None else dict(variables)
