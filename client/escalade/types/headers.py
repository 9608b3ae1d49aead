"""Header fields of the wire that take more than one line to read.

Guarantee: pure; a value that cannot be read is as good as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After`, given in seconds or as a date; a date counts from the sender's own clock.

    Args:
        headers: A response's header fields, which ignore the case of names.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        times = [parsedate_to_datetime(text) for text in (value, headers.get("Date", ""))]
    except ValueError:
        return None
    until, now = (time.replace(tzinfo=time.tzinfo or UTC) for time in times)
    return max((until - now).total_seconds(), 0.0)
