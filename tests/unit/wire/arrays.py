"""Arrays of every type that can be sent, in every layout, for the tests of all codecs."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

Array = np.ndarray[Any, Any]

DTYPES: list[Any] = [
    *("bool", "int8", "uint16", "int32", "uint64", "float16", "float32", "float64", "longdouble"),
    *("complex64", "complex128", ">i2", ">u4", ">f4", ">f8", ">c16"),
    *("<U5", ">U3", "S4", "V6", "M8[ns]", ">M8[25s]", "M8", "m8[us]", "m8"),
    [("a", "<i4"), ("b", ">f8")],
    [("name", "S3"), ("box", "<f4", (2, 2)), ("at", "M8[s]")],
    [("outer", [("inner", ">i2"), ("flag", "?")]), ("u", "<U2")],
    np.dtype([("a", "i1"), ("b", "f8")], align=True),
    np.dtype({"names": ["a", "b"], "formats": ["i1", "<i4"], "offsets": [1, 8], "itemsize": 16}),
    [(("a title", "name"), "<i4")],
]
SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (7,), (2, 3), (3, 0, 2), (2, 1, 4), (40, 60)]


def filled(dtype: Any, shape: tuple[int, ...]) -> Array:
    """Return an array whose items differ from each other."""
    kind = np.dtype(dtype)
    count = int(np.prod(shape))
    if kind.kind == "V":
        flat = np.arange(count * kind.itemsize).astype(np.uint8) % 2
        made = flat.view(kind).reshape(shape) if count else np.empty(shape, kind)
        for name in kind.names or ():
            if kind[name].kind == "U":  # not any bytes are text
                made[name] = "é"
        return made
    if kind.kind in "SU":
        return np.array([str(i) for i in range(count)], kind).reshape(shape)
    return np.arange(count).astype(kind).reshape(shape)


def laid_out(array: Array, layout: str) -> Array:
    """Return the same items in another layout."""
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "strided" and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    if layout == "reversed" and array.ndim:
        return array[::-1]
    if layout == "read-only":
        array = array.copy()
        array.flags.writeable = False
    return array


def arrays() -> st.SearchStrategy[Array]:
    """All combinations of types, shapes and layouts."""
    layouts = st.sampled_from(["C", "F", "strided", "reversed", "read-only"])
    return st.builds(
        lambda dtype, shape, layout: laid_out(filled(dtype, shape), layout),
        st.sampled_from(DTYPES),
        st.sampled_from(SHAPES),
        layouts,
    )
