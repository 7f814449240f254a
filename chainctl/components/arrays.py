"""A numpy array in; its bytes in numpy's own format, without pickle, out; and back."""

from __future__ import annotations

import io
import sys
from typing import Any


def is_array(value: object) -> bool:
    """Say whether a value is an array or a scalar of numpy's; numpy is not imported for it."""
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and type(value) is numpy.ndarray


def is_scalar(value: object) -> bool:
    numpy: Any = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic)


def written(value: Any) -> bytes | None:
    """Return an array as bytes; None where the format would not give it back as it is."""
    import numpy as np

    if value.dtype.hasobject or value.dtype.metadata:
        return None
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asarray(value), allow_pickle=False)
    data = out.getvalue()
    return data if read(data).dtype == value.dtype else None


def read(data: bytes) -> Any:
    """Return the array that `written` made bytes of. Raises ValueError for anything else."""
    import numpy as np

    return np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
