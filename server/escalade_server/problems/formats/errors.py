"""What can be wrong with an archive as a whole.

Guarantee: a fault of one entry is never an exception here; it is a `Refusal` beside the entries that go in.
"""

from __future__ import annotations

from escalade_server.errors import ArchiveUnreadable


class ArchiveError(ArchiveUnreadable):
    """The text is not an archive of the named format, so that nothing of it can go in."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        """What is wrong and where, for the person who sent it."""
