"""Sandboxes."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opencomputer._async.build_events import request_with_log
from opencomputer._async.checkpoints import (
    delete_checkpoint,
    list_checkpoints,
    wait_until_ready,
)
from opencomputer._async.commands import Commands
from opencomputer._async.connection import Connection, ConnectionOptions, resolve_connection
from opencomputer._async.egress_log import EgressLog
from opencomputer._async.files import Files
from opencomputer._async.send import request_deletion, request_nothing, request_record
from opencomputer._async.terminals import Terminals
from opencomputer._async.usage import usage_period
from opencomputer._requests import ApiRequest, api_path, without_none
from opencomputer.errors import NotFoundError
from opencomputer.image import Image
from opencomputer.records import (
    AllowedHosts,
    Autoscale,
    BuildLogEvent,
    CheckpointKind,
    CheckpointRecord,
    CreatedPatch,
    CreatedSandbox,
    HibernatedSandbox,
    IdleRule,
    LimitsSet,
    PatchRecord,
    PreviewAuth,
    PreviewLink,
    PreviewRecord,
    RestoredCheckpoint,
    RetentionPolicy,
    RotatedPreviewAuth,
    SandboxDetail,
    SandboxStatus,
    SandboxSummary,
    SandboxTags,
    SandboxUsage,
    ScaledSandbox,
    ScalingLock,
    TagKey,
    TagKeys,
    UsageInterval,
    WebhookOptions,
    WokenSandbox,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

SAVE_SECONDS = 960.0
"""The service gives up on saving memory and disk after 15 minutes."""


class Sandbox:
    """A virtual machine.

    ``Sandbox.create`` creates one, ``Sandbox.connect`` connects to an existing one. A context
    manager kills it at the end::

        async with await Sandbox.create() as sandbox:
            result = await sandbox.exec.run("uname -a")

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
        self.info = info
        self.sandbox_id = info["sandboxID"]
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
        self._connection = connection

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
                ``project`` it is layered on the project's own secrets and wins.
            snapshot: Name of the snapshot to start from. Not together with ``image``.
            image: What to start from instead of the base image. It is built unless it
                exists already.
            timeout: Idle time-out in seconds; 0 is never. Platform default 300. Each use of the
                sandbox starts it anew. With a ``project``, 0 is as None: ``set_timeout`` sets
                it afterwards.
            idle: What counts as use. ``requests``, the default: commands, files and every other
                call, and live WebSocket traffic. ``cpu``: also 10 seconds in which the sandbox
                takes at least 5 percent of one CPU, so that work in the background keeps it awake.
            envs: Plain variables of every command. One of a secret's name replaces that secret.
            metadata: Labels for your own use; the sandbox does not see them.
            cpu_count: Virtual CPUs, 1-8. Platform default 1.
            memory_mb: Memory in MB, 256-16384. Platform default 1024.
            disk_mb: Disk in MB, 20480-262144. None: 20480. It takes space as it is written to.
            template: Template; ``base`` is the platform's.
            preview_auth: Has the sandbox's previews need a bearer token: ``{"token": "auto"}``, or
                one of your own of at least 16 characters. It is ``info["previewAuthToken"]`` of
                the created sandbox, and shown nowhere else.
            webhooks: URLs that get the events of this sandbox and end with it, at most 5. With
                their secrets they are ``info["webhooks"]`` of the created sandbox.
            on_build_log: Gets each line of the build of ``image``, or of a snapshot that is being
                built: a function or a coroutine function.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``secret_store_not_found``, ``project_not_found``,
                ``snapshot_not_found``, ``image_build_failed``, ``invalid_request``,
                ``capacity_exhausted``.
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

        It continues where the checkpoint was made and shares nothing with its parent from then
        on. What is None is the parent's. A checkpoint that is still being made is waited for, up
        to 30 s.

        Args:
            checkpoint_id: UUID of the checkpoint, as in ``(await create_checkpoint(…))["id"]``.
            secret_store: Name of a secret store, layered on the secrets of the checkpoint.
            timeout: Idle time-out in seconds; 0 is never.
            idle: What counts as use, as of ``create``.
            envs: Plain variables, added to the parent's.
            metadata: Labels for your own use.
            memory_mb: Memory in MB, 256-16384.
            restart_sessions: Ids of command sessions. Their commands are killed before they run
                on in the fork, and started again under the same ids, with the fork's variables.
            **connection: Key and address of the service.

        Raises:
            OpenComputerError: ``checkpoint_not_found``, ``checkpoint_not_ready``,
                ``checkpoint_failed``, ``secret_store_not_found``, ``session_not_found``.
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
        """Finds a sandbox by its id. One that was killed is not found.

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
        """Lists the organization's sandboxes of a status. Default: running and hibernated ones."""
        request = ApiRequest("GET", "/sandboxes", {"status": status})
        shape = builtins.list[SandboxSummary]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def list_tag_keys(
        **connection: Unpack[ConnectionOptions],
    ) -> builtins.list[TagKey]:
        """Lists the tag keys in use, with the number of sandboxes that have each."""
        request = ApiRequest("GET", "/tags")
        return (await request_record(resolve_connection(**connection), request, TagKeys))["keys"]

    @staticmethod
    async def kill_by_id(
        sandbox_id: str,
        *,
        delete_secret_store: bool = False,
        **connection: Unpack[ConnectionOptions],
    ) -> None:
        """Stops a sandbox by its id, and deletes its memory and disk.

        The options are those of ``kill``.

        Raises:
            NotFoundError: ``sandbox_not_found``.
            OpenComputerError: ``secret_store_in_use``.
        """
        await _kill(resolve_connection(**connection), sandbox_id, delete_secret_store)

    @staticmethod
    async def list_checkpoints_by_id(
        sandbox_id: str, **connection: Unpack[ConnectionOptions]
    ) -> builtins.list[CheckpointRecord]:
        """Lists the checkpoints of a sandbox, even of a killed one.

        Raises:
            NotFoundError: ``sandbox_not_found``.
        """
        return await list_checkpoints(resolve_connection(**connection), sandbox_id)

    @staticmethod
    async def delete_checkpoint_by_id(
        sandbox_id: str, checkpoint_id: str, **connection: Unpack[ConnectionOptions]
    ) -> None:
        """Deletes a checkpoint, even of a killed sandbox. Its forks keep running.

        Raises:
            NotFoundError: ``checkpoint_not_found``.
        """
        await delete_checkpoint(resolve_connection(**connection), sandbox_id, checkpoint_id)

    @staticmethod
    async def create_checkpoint_patch(
        checkpoint_id: str,
        *,
        script: str,
        description: str | None = None,
        **connection: Unpack[ConnectionOptions],
    ) -> PatchRecord:
        """Adds a script for bash to a checkpoint.

        Each later fork runs the scripts in order before it accepts commands. The first failure
        skips the others and is reported as ``patchError`` of the fork.

        Raises:
            NotFoundError: ``checkpoint_not_found``.
        """
        body = without_none(script=script, description=description)
        request = ApiRequest("POST", _patches(checkpoint_id), json=body)
        created = await request_record(resolve_connection(**connection), request, CreatedPatch)
        return created["patch"]

    @staticmethod
    async def list_checkpoint_patches(
        checkpoint_id: str, **connection: Unpack[ConnectionOptions]
    ) -> builtins.list[PatchRecord]:
        """Lists the patches of a checkpoint, in the order in which they run.

        Raises:
            NotFoundError: ``checkpoint_not_found``.
        """
        request = ApiRequest("GET", _patches(checkpoint_id))
        shape = builtins.list[PatchRecord]
        return await request_record(resolve_connection(**connection), request, shape)

    @staticmethod
    async def delete_checkpoint_patch(
        checkpoint_id: str, patch_id: str, **connection: Unpack[ConnectionOptions]
    ) -> None:
        """Deletes a patch of a checkpoint.

        Raises:
            NotFoundError: ``patch_not_found``.
        """
        request = ApiRequest("DELETE", _patches(checkpoint_id) + api_path(patch_id))
        await request_deletion(resolve_connection(**connection), request)

    async def kill(self, *, delete_secret_store: bool = False) -> None:
        """Stops this sandbox and deletes its memory and disk.

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
        """Whether the sandbox is running: False if it is hibernated, stopped or deleted."""
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
            interval: Length of the buckets; by default ``hour`` for the last 7 days, else ``day``.

        Raises:
            OpenComputerError: ``sandbox_not_found``, ``invalid_request``.
        """
        path = api_path("sandboxes", self.sandbox_id, "usage")
        request = ApiRequest("GET", path, query=usage_period(since, until, interval))
        return await request_record(self._connection, request, SandboxUsage)

    async def set_timeout(self, seconds: int) -> None:
        """Sets the idle time-out, in seconds from now; 0 disables it.

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
        """Wakes the sandbox, if it is hibernated.

        Args:
            timeout: New idle time-out in seconds; 0 disables it. None leaves it unchanged.
        """
        body = without_none(timeout=timeout)
        # Each patch that a fork has not run yet may take five minutes.
        request = self._request("POST", "wake", json=body, idempotent=True, deadline_seconds=None)
        return await request_record(self._connection, request, WokenSandbox)

    async def scale(self, memory_mb: int) -> ScaledSandbox:
        """Changes the memory of the running sandbox, and returns when it is available.

        Disables autoscale, and wakes a hibernated sandbox.

        Args:
            memory_mb: New memory in MB, 256-16384.

        Raises:
            ScalingLockedError: ``scaling_locked``.
            OpenComputerError: ``oom_floor`` when its commands use more: ``details`` has
                ``memoryUsedBytes``, ``requestedMemoryMB`` and ``smallestMemoryMB``.
        """
        request = self._request("POST", "scale", json={"memoryMB": memory_mb}, idempotent=True)
        return await request_record(self._connection, request, ScaledSandbox)

    async def set_limits(
        self, *, memory_mb: int | None = None, cpu_percent: int | None = None
    ) -> None:
        """Changes memory, CPU time or both, as :meth:`scale` does.

        Args:
            memory_mb: New memory in MB, 256-16384.
            cpu_percent: CPU time of all commands together, 100 for each CPU of the sandbox;
                at least 5.
        """
        body = without_none(memoryMB=memory_mb, cpuPercent=cpu_percent)
        request = self._request("PUT", "limits", json=body)
        await request_record(self._connection, request, LimitsSet)

    async def set_autoscale(
        self,
        enabled: bool,
        *,
        min_memory_mb: int | None = None,
        max_memory_mb: int | None = None,
    ) -> Autoscale:
        """Enables or disables autoscale, which adjusts the memory to its use between two bounds.

        Args:
            enabled: Whether to enable it.
            min_memory_mb: Least memory in MB. Required to enable it.
            max_memory_mb: Most memory in MB. Required to enable it.

        Raises:
            ScalingLockedError: ``scaling_locked``, when enabling it.
        """
        body = without_none(enabled=enabled, minMemoryMB=min_memory_mb, maxMemoryMB=max_memory_mb)
        request = self._request("PUT", "autoscale", json=body)
        return await request_record(self._connection, request, Autoscale)

    async def get_autoscale(self) -> Autoscale:
        """Whether autoscale is enabled, and its bounds."""
        return await request_record(self._connection, self._request("GET", "autoscale"), Autoscale)

    async def set_scaling_lock(self, locked: bool) -> ScalingLock:
        """Locks or unlocks the size against changes by calls and by the sandbox itself.

        Locking disables autoscale; unlocking does not enable it again.
        """
        request = self._request("PUT", "scaling-lock", json={"locked": locked})
        return await request_record(self._connection, request, ScalingLock)

    async def get_scaling_lock(self) -> ScalingLock:
        """Whether the size is locked."""
        request = self._request("GET", "scaling-lock")
        return await request_record(self._connection, request, ScalingLock)

    async def reboot(self) -> None:
        """Ends the sandbox's processes, and boots it from its disk.

        Sessions end; files, tokens and policy are kept.
        """
        await request_nothing(self._connection, self._request("POST", "reboot"))

    async def power_cycle(self) -> None:
        """Powers the sandbox off without ending its processes, and boots it from its disk."""
        await request_nothing(self._connection, self._request("POST", "power-cycle"))

    async def create_checkpoint(
        self,
        name: str,
        *,
        kind: CheckpointKind | None = None,
        retention_policy: RetentionPolicy | None = None,
        wait: bool = False,
    ) -> CheckpointRecord:
        """Creates a checkpoint of the sandbox, which keeps running.

        It contains the state at a moment before the call returns, and no later change.

        Args:
            name: Unique among the sandbox's checkpoints.
            kind: ``full``, the default, includes memory: processes continue in a fork.
                ``disk_only`` includes the disk alone; a fork boots from it.
            retention_policy: What happens at the limit of 10 ``full`` and 100 ``disk_only`` ones:
                ``{"mode": "delete_oldest"}`` makes room.
            wait: Whether to wait until the checkpoint is ready. Otherwise the returned record is
                ``processing``, and ``create_from_checkpoint`` waits for it.

        Raises:
            OpenComputerError: ``name_in_use``, ``limit_reached``, ``outcome_unknown`` when the
                service lost the sandbox's worker meanwhile; with ``wait`` ``checkpoint_failed``.
        """
        body = without_none(name=name, kind=kind, retentionPolicy=retention_policy)
        request = self._request("POST", "checkpoints", json=body, deadline_seconds=SAVE_SECONDS)
        created = await request_record(self._connection, request, CheckpointRecord)
        if not wait:
            return created
        return await wait_until_ready(self._connection, self.sandbox_id, created["id"])

    async def list_checkpoints(self) -> builtins.list[CheckpointRecord]:
        """Lists the checkpoints of this sandbox."""
        return await list_checkpoints(self._connection, self.sandbox_id)

    async def restore_checkpoint(self, checkpoint_id: str) -> RestoredCheckpoint:
        """Restores the sandbox to one of its checkpoints, in place.

        Later changes are lost. The checkpoint is verified first.

        Raises:
            OpenComputerError: ``checkpoint_not_found``, ``checkpoint_not_ready``,
                ``checkpoint_failed``.
        """
        request = self._request("POST", "checkpoints", checkpoint_id, "restore")
        return await request_record(self._connection, request, RestoredCheckpoint)

    async def delete_checkpoint(self, checkpoint_id: str) -> None:
        """Deletes a checkpoint. Its forks keep running.

        Raises:
            NotFoundError: ``checkpoint_not_found``.
        """
        await delete_checkpoint(self._connection, self.sandbox_id, checkpoint_id)

    async def allowed_hosts(self) -> AllowedHosts:
        """Returns the hosts that this sandbox may reach, and those of each of its secrets."""
        request = self._request("GET", "allowed-hosts")
        return await request_record(self._connection, request, AllowedHosts)

    async def get_tags(self) -> SandboxTags:
        """Returns the sandbox's tags, and when they last changed."""
        return await request_record(self._connection, self._request("GET", "tags"), SandboxTags)

    async def set_tags(self, tags: Mapping[str, str]) -> SandboxTags:
        """Replaces all tags of the sandbox.

        Args:
            tags: At most 50, keys of 1-128 letters, digits, ``_``, ``.``, ``:`` and ``-``, values
                of at most 256 characters.

        Raises:
            OpenComputerError: ``invalid_request``.
        """
        request = self._request("PUT", "tags", json=dict(tags))
        return await request_record(self._connection, request, SandboxTags)

    async def update_tags(self, changes: Mapping[str, str | None]) -> SandboxTags:
        """Sets the tags that have a value, removes those that are None and keeps the others.

        Of changes at the same time none is lost.

        Args:
            changes: At most 100 tags.

        Raises:
            OpenComputerError: ``invalid_request``; ``limit_exceeded`` for more than 50 tags in all.
        """
        request = self._request("PATCH", "tags", json=dict(changes))
        return await request_record(self._connection, request, SandboxTags)

    async def create_preview_url(
        self,
        *,
        port: int,
        domain: str | None = None,
        auth_config: Mapping[str, Any] | None = None,
    ) -> PreviewRecord:
        """Creates a preview: HTTP requests for its ``url`` reach the server on this port.

        Requests wake the sandbox. If the port has a preview, it is returned.

        Args:
            port: TCP port of a server in the sandbox, 1-65535; it may listen on the loopback
                address alone.
            domain: Your own host name, which must resolve to the service.
            auth_config: Stored with the preview and returned unchanged.

        Raises:
            OpenComputerError: ``invalid_request``, ``limit_exceeded``; ``name_in_use`` for a domain
                of another preview.
        """
        body = without_none(
            port=port, domain=domain, authConfig=None if auth_config is None else dict(auth_config)
        )
        request = self._request("POST", "preview", json=body, idempotent=True)
        return await request_record(self._connection, request, PreviewRecord)

    async def list_preview_urls(self) -> builtins.list[PreviewRecord]:
        """Lists the sandbox's previews, by port."""
        request = self._request("GET", "preview")
        return await request_record(self._connection, request, builtins.list[PreviewRecord])

    async def delete_preview_url(self, port: int) -> None:
        """Deletes the preview of a port.

        Raises:
            NotFoundError: ``preview_not_found``.
        """
        await request_deletion(self._connection, self._request("DELETE", "preview", str(port)))

    async def rotate_preview_auth(self) -> RotatedPreviewAuth:
        """Replaces the token of all previews, and returns the new one, which is not shown again.

        The old token is refused at once, and connections that used it are closed. Previews
        without a token require this one from now on.
        """
        request = self._request("POST", "preview", "rotate")
        return await request_record(self._connection, request, RotatedPreviewAuth)

    async def create_preview_link(self, port: int) -> PreviewLink:
        """Creates a link that opens a preview in a browser.

        If previews need a token, the link works once, within five minutes.

        Raises:
            NotFoundError: ``preview_not_found``.
        """
        request = self._request("POST", "preview", str(port), "link")
        return await request_record(self._connection, request, PreviewLink)

    def _request(self, method: Any, *segments: str, **options: Any) -> ApiRequest:
        return ApiRequest(method, api_path("sandboxes", self.sandbox_id, *segments), **options)


async def _kill(connection: Connection, sandbox_id: str, delete_secret_store: bool) -> None:
    query = {"deleteSecretStore": "true" if delete_secret_store else None}
    request = ApiRequest("DELETE", api_path("sandboxes", sandbox_id), query)
    await request_deletion(connection, request)


def _patches(checkpoint_id: str) -> str:
    return api_path("sandboxes", "checkpoints", checkpoint_id, "patches")


def _copy(variables: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if variables is None else dict(variables)
