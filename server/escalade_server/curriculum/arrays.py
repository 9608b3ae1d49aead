"""Numpy arrays in states and in JSON.

Guarantee: `unpack(pack(array))` has the same bits, and what these functions return cannot be written to, so that states
may share it.
"""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def freeze(array: NDArray[Any]) -> NDArray[Any]:
    """The same array, read-only from now on."""
    array.flags.writeable = False
    return array


def pack(array: NDArray[Any]) -> dict[str, Any]:
    """The array as JSON values: little-endian bytes in base64."""
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return {
        "dtype": little.dtype.str,
        "shape": list(little.shape),
        "data": base64.b64encode(little.tobytes()).decode("ascii"),
    }


def unpack(document: Mapping[str, Any]) -> NDArray[Any]:
    """The array that `pack` wrote."""
    flat = np.frombuffer(base64.b64decode(document["data"]), dtype=np.dtype(document["dtype"]))
    return freeze(flat.astype(flat.dtype.newbyteorder("=")).reshape(document["shape"]))


def generator(rng: random.Random) -> np.random.Generator:
    """A numpy generator whose numbers `rng` determines."""
    return np.random.Generator(np.random.PCG64(rng.getrandbits(128)))
