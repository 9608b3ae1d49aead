"""The `escalade` command.

Guarantee: importing this needs nothing but the base install; without the extra `cli` the command says how to get it.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        print(
            f"error: the escalade command needs {error.name}: run `pip install 'escalade[cli]'`",
            file=sys.stderr,
        )
        sys.exit(1)
    from escalade.cli.app import build_app

    build_app()(prog_name="escalade")


__all__ = ["main"]
