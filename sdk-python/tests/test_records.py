from __future__ import annotations

from typing import is_typeddict

import pytest
from contract import ContractServer

from opencomputer import records

NOT_FROM_ONE_SCHEMA = {
    "EventRecord": "the data depends on the type",
    "ImageStep": "the arguments depend on the type",
    "OutputChunk": "made by the SDK",
}
RECORDS = sorted(name for name in records.__all__ if is_typeddict(getattr(records, name)))


@pytest.mark.parametrize("name", [name for name in RECORDS if name not in NOT_FROM_ONE_SCHEMA])
def test_a_record_has_the_fields_of_the_schema(name: str, server: ContractServer) -> None:
    record = getattr(records, name)
    fields = server.greeting["recordFields"][name]
    assert sorted(record.__annotations__) == sorted(fields["all"])
    assert sorted(record.__required_keys__) == sorted(fields["required"])


def test_every_schema_has_a_record(server: ContractServer) -> None:
    assert sorted([*server.greeting["recordFields"], *NOT_FROM_ONE_SCHEMA]) == RECORDS
