from __future__ import annotations

import pytest

from opencomputer import OpenComputerError, Sandbox, ScalingLockedError


async def test_scale_returns_the_size_and_that_autoscale_is_off(sandbox: Sandbox) -> None:
    bounds = {"enabled": True, "minMemoryMB": 512, "maxMemoryMB": 4096}
    enabled = await sandbox.set_autoscale(enabled=True, min_memory_mb=512, max_memory_mb=4096)
    assert enabled == {"sandboxID": sandbox.id, **bounds}
    scaled = await sandbox.scale(memory_mb=2048)
    assert (scaled["memoryMB"], scaled["autoscaleDisabled"]) == (2048, True)
    assert (await sandbox.get_autoscale())["enabled"] is False
    assert (await sandbox.get_info())["memoryMB"] == 2048


async def test_limits_are_memory_cpu_time_or_both(sandbox: Sandbox) -> None:
    await sandbox.set_limits(cpu_percent=50)
    await sandbox.set_limits(memory_mb=1024)
    scaled = await sandbox.scale(1024)
    assert (scaled["memoryMB"], scaled["cpuPercent"]) == (1024, 50)


async def test_a_locked_size_raises_scaling_locked_error(sandbox: Sandbox) -> None:
    assert (await sandbox.set_scaling_lock(True))["locked"] is True
    assert (await sandbox.get_scaling_lock())["locked"] is True
    with pytest.raises(ScalingLockedError) as caught:
        await sandbox.scale(2048)
    assert (caught.value.code, caught.value.status) == ("scaling_locked", 403)
    await sandbox.set_scaling_lock(False)
    await sandbox.scale(2048)


async def test_memory_in_use_is_in_the_details(sandbox: Sandbox) -> None:
    with pytest.raises(OpenComputerError) as caught:
        await sandbox.scale(256)
    assert caught.value.code == "oom_floor"
    assert caught.value.details is not None
    assert caught.value.details["smallestMemoryMB"] == 300
