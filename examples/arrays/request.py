"""A chain's URL in; the answer to a call with an array and bytes, as msgpack both ways, out.

Needs numpy, msgpack and msgpack_numpy: nothing of chainctl.

    python examples/arrays/request.py http://127.0.0.1:8100
"""

from __future__ import annotations

import sys
import urllib.request
from typing import Any

import msgpack
import msgpack_numpy
import numpy as np


def call(url: str, data: dict[str, Any]) -> dict[str, Any]:
    """Call the chain. Raises urllib.error.HTTPError for an answer that is an error."""
    body = msgpack.packb({"data": data}, default=msgpack_numpy.encode)
    headers = {"content-type": "application/octet-stream"}
    request = urllib.request.Request(f"{url}/run_remote", body, headers)
    with urllib.request.urlopen(request) as answer:
        result: dict[str, Any] = msgpack.unpackb(answer.read(), object_hook=msgpack_numpy.decode)
        return result


def main(url: str) -> None:
    """Call it with a million numbers."""
    numbers = np.arange(1_000_000, dtype=np.float32).reshape(1000, 1000)
    result = call(url, {"some_numbers": numbers, "other_field": "example", "raw": b"abc"})
    array = result["some_numbers"]
    sys.stdout.write(f"{array.dtype} {array.shape} from {array.min()} to {array.max()}\n")
    sys.stdout.write(f"{result['other_field']} {result['raw']!r} {result['total']}\n")


if __name__ == "__main__":
    main(sys.argv[1])
