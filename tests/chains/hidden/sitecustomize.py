"""Make packages that a test machine happens to have look as if they were not installed."""

import importlib.machinery
import os
import sys
import types

HIDDEN = frozenset(os.environ.get("CHAINCTL_TEST_HIDDEN", "").split(","))


class PathFinderWithout:
    """Python's own path finder, blind to some packages."""

    @staticmethod
    def find_spec(
        name: str, path: object = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] in HIDDEN:
            return None
        return importlib.machinery.PathFinder.find_spec(name, path, target)  # type: ignore[arg-type]

    @staticmethod
    def find_distributions(*args: object, **kwargs: object) -> object:
        return importlib.machinery.PathFinder.find_distributions(*args, **kwargs)  # type: ignore[arg-type]


sys.meta_path[:] = [PathFinderWithout if f is importlib.machinery.PathFinder else f for f in sys.meta_path]
