from .shapes import Box
from . import rounding


def area(box: Box) -> float:
    return rounding.rounded(box.width**2)
