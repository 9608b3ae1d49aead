"""Seeds and identities.

Guarantee: pure functions of their arguments, the same on every machine and for ever. The seeds of the splits are
disjoint by construction: the lowest bits of a seed are its split, `0` for training, `01` for evaluation and `11` for
the hidden inputs that programs are judged on, which no prompt ever shows.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

Split = Literal["train", "evaluation", "hidden"]


def canonical(parameters: Mapping[str, int]) -> str:
    """Scale parameters as one line of text, whatever their order."""
    return json.dumps(dict(parameters), sort_keys=True, separators=(",", ":"))


def stream_id(version: str, parameters: Mapping[str, int], split: Split, seed: int) -> str:
    """Name of a seed stream, 64 hexadecimal digits."""
    return _stream_id(version, tuple(sorted(parameters.items())), split, seed)


@lru_cache(maxsize=8_192)
def _stream_id(version: str, parameters: tuple[tuple[str, int], ...], split: Split, seed: int) -> str:
    # Kept, because every batch asks for some hundred of them again.
    text = "\n".join(("stream", version, canonical(dict(parameters)), split, str(seed)))
    return hashlib.sha256(text.encode()).hexdigest()


def limits_id(version: str, parameters: Mapping[str, int]) -> str:
    """Name of the limits of programs at an assignment, 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(("limits", version, canonical(parameters))).encode()).hexdigest()


def seed_at(stream: str, split: Split, index: int) -> int:
    """The stream's seed at an index, in [0, 2^63)."""
    digest = hashlib.sha256(f"seed\n{stream}\n{index}".encode()).digest()
    number = int.from_bytes(digest[:8], "big") >> 1
    match split:
        case "train":
            return number & ~1
        case "evaluation":
            return number & ~3 | 1
        case "hidden":
            return number & ~3 | 3


def is_hidden(seed: int) -> bool:
    """Whether a seed is one of the hidden split."""
    return seed & 3 == 3


def instance_id(version: str, parameters: Mapping[str, int], seed: int) -> str:
    """Identity of an instance, `ins_` and 26 letters and digits."""
    text = "\n".join(("instance", version, canonical(parameters), str(seed)))
    digest = hashlib.sha256(text.encode()).digest()[:16]
    return "ins_" + base64.b32encode(digest).decode().rstrip("=").lower()
