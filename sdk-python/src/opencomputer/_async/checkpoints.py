"""The checkpoints of a sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opencomputer._async.connection import Connection, ConnectionOptions, resolve_connection
from opencomputer._async.sandbox_requests import SandboxRequests
from opencomputer._async.send import request_deletion, request_record
from opencomputer._platform.asynchronous import sleep
from opencomputer._requests import SAVE_SECONDS, ApiRequest, api_path, without_none
from opencomputer.errors import NotFoundError, OpenComputerError
from opencomputer.records import (
    CheckpointKind,
    CheckpointRecord,
    RestoredCheckpoint,
    RetentionPolicy,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack


POLL_SECONDS = 0.25


class SandboxCheckpoints(SandboxRequests):
    """The part of a sandbox that saves its state, and restores it."""

    @staticmethod
    async def list_checkpoints_by_id(
        sandbox_id: str, **connection: Unpack[ConnectionOptions]
    ) -> list[CheckpointRecord]:
        """Lists the checkpoints of a sandbox, even of a killed one.

        Raises:
            NotFoundError: ``sandbox_not_found``.
        """
        return await _list_checkpoints(resolve_connection(**connection), sandbox_id)

    @staticmethod
    async def delete_checkpoint_by_id(
        sandbox_id: str, checkpoint_id: str, **connection: Unpack[ConnectionOptions]
    ) -> None:
        """Deletes a checkpoint, even of a killed sandbox. Its forks keep running.

        Raises:
            NotFoundError: ``checkpoint_not_found``.
        """
        await _delete_checkpoint(resolve_connection(**connection), sandbox_id, checkpoint_id)

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
            name: Unique among the sandbox's checkpoints, at most 128 characters.
            kind: ``full``, the default, includes memory: processes continue in a fork.
                ``disk_only`` includes the disk alone; a fork boots from it.
            retention_policy: What happens at the limit of 10 ``full`` and 100 ``disk_only``
                checkpoints of one sandbox, or at ``maxCount``: ``{"mode": "none"}``, the default,
                is the error ``limit_reached``, ``{"mode": "delete_oldest"}`` makes room.
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
        return await _wait_until_ready(self._connection, self.sandbox_id, created["id"])

    async def list_checkpoints(self) -> list[CheckpointRecord]:
        """Lists the checkpoints of this sandbox."""
        return await _list_checkpoints(self._connection, self.sandbox_id)

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
        await _delete_checkpoint(self._connection, self.sandbox_id, checkpoint_id)


async def _list_checkpoints(connection: Connection, sandbox_id: str) -> list[CheckpointRecord]:
    """Lists the checkpoints of a sandbox, even of a killed one."""
    request = ApiRequest("GET", api_path("sandboxes", sandbox_id, "checkpoints"))
    return await request_record(connection, request, list[CheckpointRecord])


async def _delete_checkpoint(connection: Connection, sandbox_id: str, checkpoint_id: str) -> None:
    """Deletes a checkpoint of a sandbox, even of a killed one."""
    path = api_path("sandboxes", sandbox_id, "checkpoints", checkpoint_id)
    await request_deletion(connection, ApiRequest("DELETE", path))


async def _wait_until_ready(
    connection: Connection, sandbox_id: str, checkpoint_id: str
) -> CheckpointRecord:
    """Waits for a checkpoint.

    Raises:
        OpenComputerError: ``checkpoint_failed``; ``checkpoint_not_found`` when it is deleted
            meanwhile.
    """
    while True:
        checkpoints = await _list_checkpoints(connection, sandbox_id)
        found = [checkpoint for checkpoint in checkpoints if checkpoint["id"] == checkpoint_id]
        if not found:
            raise NotFoundError(
                "checkpoint_not_found",
                f"checkpoint not found: {checkpoint_id} was deleted before it was ready",
                status=404,
            )
        (checkpoint,) = found
        if checkpoint["status"] == "ready":
            return checkpoint
        if checkpoint["status"] == "failed":
            reason = checkpoint.get("failure", "the service's log states the reason")
            raise OpenComputerError(
                "checkpoint_failed",
                f"Checkpoint {checkpoint_id} failed: {reason}",
                status=409,
            )
        await sleep(POLL_SECONDS)
