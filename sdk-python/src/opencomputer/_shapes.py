"""Validates JSON against the types of the records that the SDK returns."""

from __future__ import annotations

import types
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict


def find_fault(shape: Any, value: object, place: str = "it") -> str | None:
    """Describes why a value does not have a shape, or returns None. Unknown keys are ignored."""
    origin = get_origin(shape)
    if is_typeddict(shape):
        fault = _find_fault_in_record(shape, value, place)
    elif origin is list:
        fault = _find_fault_in_list(get_args(shape)[0], value, place)
    elif origin is dict:
        fault = _find_fault_in_dict(get_args(shape)[1], value, place)
    elif origin in (Union, types.UnionType):
        faults = [find_fault(choice, value, place) for choice in get_args(shape)]
        fault = None if None in faults else faults[0]
    elif origin is Literal:
        choices = get_args(shape)
        fault = None if value in choices else _fault(place, f"one of {choices}", value)
    else:
        fault = _find_fault_in_scalar(shape, value, place)
    return fault


def _find_fault_in_scalar(shape: Any, value: object, place: str) -> str | None:
    if shape is Any or shape is object:
        return None
    # JSON writes a float without decimals as an integer.
    kinds = (int, float) if shape is float else shape
    matches = isinstance(value, kinds) and (shape is bool or not isinstance(value, bool))
    return None if matches else _fault(place, shape.__name__, value)


def _find_fault_in_list(shape: Any, value: object, place: str) -> str | None:
    if not isinstance(value, list):
        return _fault(place, "a list", value)
    faults = (find_fault(shape, item, f"{place}[{index}]") for index, item in enumerate(value))
    return next((fault for fault in faults if fault is not None), None)


def _find_fault_in_dict(shape: Any, value: object, place: str) -> str | None:
    if not isinstance(value, dict):
        return _fault(place, "an object", value)
    faults = (find_fault(shape, item, f"{place}.{key}") for key, item in value.items())
    return next((fault for fault in faults if fault is not None), None)


def _find_fault_in_record(shape: Any, value: object, place: str) -> str | None:
    if not isinstance(value, dict):
        return _fault(place, "an object", value)
    for key, item_shape in _fields(shape).items():
        if key in value:
            fault = find_fault(item_shape, value[key], f"{place}.{key}")
            if fault is not None:
                return fault
        elif key in shape.__required_keys__:
            return f"{place}.{key} is missing"
    return None


@cache
def _fields(shape: Any) -> dict[str, Any]:
    return get_type_hints(shape)


def _fault(place: str, expected: str, value: object) -> str:
    # Only the type: the value may be a secret.
    return f"{place} is {type(value).__name__}, expected {expected}"
