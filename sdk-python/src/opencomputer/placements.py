"""Recommended placements: where in a request a token should be replaced by its value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from opencomputer._well_known_services import WellKnownService, well_known_services


@dataclass(frozen=True)
class PlacementRecommendation:
    """Host limits and placements that suit a secret."""

    hosts: list[str]
    """For ``allowed_hosts``."""
    substitute_in: list[str]
    """For ``substitute_in``."""


def recommend_placement(
    name: str, allowed_hosts: Sequence[str] = ()
) -> PlacementRecommendation | None:
    """Recommends host limits and placements for a secret of a well-known service.

    The secret is known by its name or, if its name is not known, by its host limits in their
    canonical form. The recommended hosts never exceed the limits.

    Args:
        name: Name of the secret, such as ``GITHUB_TOKEN``.
        allowed_hosts: Its host limits; empty when it has none.

    Returns:
        None when neither name nor hosts are known, or one of the limits is unknown, because that
        host may expect the value elsewhere.
    """
    named = [service for service in well_known_services if name in service.variables]
    if not allowed_hosts:
        return _recommend(named)
    by_name = [_within(service, allowed_hosts) for service in named]
    if _all_have_hosts(by_name, allowed_hosts):
        return _recommend(by_name)
    # A wildcard alone does not identify one of the services below it.
    exact = [
        replace(service, hosts=tuple(host for host in service.hosts if host in allowed_hosts))
        for service in well_known_services
    ]
    return _recommend(exact) if _all_have_hosts(exact, allowed_hosts) else None


def _within(service: WellKnownService, limits: Sequence[str]) -> WellKnownService:
    hosts = (host for host in service.hosts if any(_matches(limit, host) for limit in limits))
    return replace(service, hosts=tuple(hosts))


def _all_have_hosts(known: Sequence[WellKnownService], limits: Sequence[str]) -> bool:
    hosts = [host for service in known for host in service.hosts]
    return all(any(_matches(limit, host) for host in hosts) for limit in limits)


def _recommend(candidates: Sequence[WellKnownService]) -> PlacementRecommendation | None:
    used = [service for service in candidates if service.hosts]
    if not used:
        return None
    placements = [placement for service in used for placement in service.substitute_in]
    return PlacementRecommendation(
        hosts=[host for service in used for host in service.hosts],
        substitute_in=list(dict.fromkeys(placements)),
    )


def _matches(pattern: str, host: str) -> bool:
    """``*.example.com`` matches every host below ``example.com``, but not ``example.com``."""
    if not pattern.startswith("*."):
        return pattern == host
    return len(host) > len(pattern) - 1 and host.endswith(pattern[1:])
