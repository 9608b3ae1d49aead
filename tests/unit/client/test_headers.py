"""Header fields that take more than one line to read."""

import httpx

from escalade.types.headers import retry_after_s


def test_retry_after_reads_seconds_and_dates():
    def asked(**headers):
        return retry_after_s(httpx.Headers({key.replace("_", "-"): value for key, value in headers.items()}))

    assert asked(Retry_After="3") == 3
    assert asked(Retry_After="Thu, 01 Jan 2026 00:01:00 GMT", Date="Thu, 01 Jan 2026 00:00:20 GMT") == 40
    assert asked(Retry_After="Thu, 01 Jan 2026 00:00:00 GMT", Date="Thu, 01 Jan 2026 00:00:20 GMT") == 0
    assert asked(Retry_After="soon") is None
    assert asked() is None
