"""The size of a sandbox, and its reboot."""

from __future__ import annotations

from opencomputer._async.sandbox_requests import SandboxRequests
from opencomputer._async.send import request_nothing, request_record
from opencomputer._requests import without_none
from opencomputer.records import Autoscale, LimitsSet, ScaledSandbox, ScalingLock


class SandboxScaling(SandboxRequests):
    """The part of a sandbox that changes its memory and CPU time, and reboots it."""

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
        """Changes memory, CPU time or both, as ``scale`` changes memory.

        Args:
            memory_mb: New memory in MB, 256-16384.
            cpu_percent: CPU time of all commands together in percent, 100 for each CPU of the
                sandbox; at least 5.

        Raises:
            ScalingLockedError: ``scaling_locked``.
            OpenComputerError: ``oom_floor`` as ``scale``; ``invalid_request`` for neither.
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
            min_memory_mb: Least memory in MB, 256-16384. Required to enable it; None otherwise
                keeps it.
            max_memory_mb: Most memory in MB, 256-16384. Required to enable it; None otherwise
                keeps it.

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
        """Ends the sandbox at once, like a loss of power, and boots it from its disk.

        What was not written to the disk is lost.
        """
        await request_nothing(self._connection, self._request("POST", "power-cycle"))
