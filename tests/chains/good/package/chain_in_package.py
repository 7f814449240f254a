import chainctl as chains

from .parts import shapes
from .parts.measure import area


class A(chains.ChainletBase):
    def run_remote(self, box: shapes.Box) -> float:
        return area(box)
