"""Dumps of policies, changed as documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FIRST_VERSION: Final[Mapping[str, Any]] = {"batch": [None, []], "ahead": False}
"""What differs in a fresh dump of a run that the first version began, which forgot a batch when the next was issued."""


def with_values(document: Any, values: Mapping[str, Any]) -> Any:
    """A policy's dump with other values, those of nested strata included; what it does not have is not added."""
    if not isinstance(document, dict):
        return [with_values(part, values) for part in document] if isinstance(document, list) else document
    return {name: values[name] if name in values else with_values(value, values) for name, value in document.items()}
