from __future__ import annotations

import dataclasses
import itertools

from contract import ContractServer

from opencomputer import recommend_placement
from opencomputer._well_known_services import well_known_services


def test_the_table_is_that_of_the_protocol(server: ContractServer) -> None:
    table = [dataclasses.asdict(service) for service in well_known_services]
    expected = [
        {
            "hosts": tuple(service["hosts"]),
            "substitute_in": tuple(service["substituteIn"]),
            "variables": tuple(service["variables"]),
        }
        for service in server.greeting["wellKnownServices"]
    ]
    assert table == expected


def test_it_recommends_what_the_protocol_recommends(server: ContractServer) -> None:
    names = ["ANTHROPIC_API_KEY", "GH_TOKEN", "GEMINI_API_KEY", "KEY", "anthropic_api_key"]
    hosts = [
        "api.anthropic.com",
        "*.anthropic.com",
        "github.com",
        "*.github.com",
        "api.groq.com",
        "*.googleapis.com",
        "example.com",
    ]
    limits = [[], *([host] for host in hosts), *map(list, itertools.combinations(hosts, 2))]
    for name, allowed in itertools.product(names, limits):
        found = recommend_placement(name, allowed)
        expected = server.recommend_placement(name, allowed)
        if expected is None:
            assert found is None, (name, allowed)
        else:
            assert found is not None, (name, allowed)
            assert found.hosts == expected["hosts"], (name, allowed)
            assert found.substitute_in == expected["substituteIn"], (name, allowed)
