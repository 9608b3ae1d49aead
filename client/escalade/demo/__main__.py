"""Runs the demo; without the extra `cli` it says how to get it."""

from __future__ import annotations

import sys

try:
    import rich  # noqa: F401
except ImportError:
    sys.exit("error: the demo needs rich and a server: run `pip install 'escalade[server,sandbox]'`")

from escalade.demo.app import main

sys.exit(main())
