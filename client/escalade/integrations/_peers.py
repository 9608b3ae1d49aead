"""Loads the trainers that the adapters are for.

Guarantee: a trainer that is not installed is one clear line that names the extra to install.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


def require(module: str, extra: str) -> Any:
    """Import a trainer's module.

    Raises:
        ImportError: It is not installed; the text says what to install.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        package = module.partition(".")[0]
        raise ImportError(
            f"escalade.integrations.{extra} needs `{package}`: run `pip install 'escalade[{extra}]'`", name=package
        ) from error
