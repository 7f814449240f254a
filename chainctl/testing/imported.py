"""A chain file in; its module, in this process, out: the one that the test has imported, where it has."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from chainctl.errors import UsageError
from chainctl.graph.chain_file import ChainFile


def imported(chain: ChainFile, path: Path, module: str) -> ModuleType:
    """Import the module of a chain's entrypoint, which stands in `path`.

    Two modules of one file would have classes that are not the same. Raises UsageError where the name of the
    module belongs to another file.
    """
    found = _there(path)
    if found is not None:
        return found
    for place in (str(chain.path.parent), str(chain.root)):
        if place not in sys.path:
            sys.path.insert(0, place)
    made = importlib.import_module(module)
    if not _is_of(made, path):
        raise UsageError(
            f"{path} can not be imported: another file is the module `{module}` already, {made.__file__}",
            hint="run their tests one after the other, each with a pytest of its own, or rename one of the files.",
        )
    return made


def _there(path: Path) -> ModuleType | None:
    modules = [one for name, one in sys.modules.items() if name != "__main__" and isinstance(one, ModuleType)]
    return next((one for one in modules if _is_of(one, path)), None)


def _is_of(module: ModuleType, path: Path) -> bool:
    file = vars(module).get("__file__")
    return isinstance(file, str) and Path(file).name == path.name and Path(file).resolve() == path.resolve()
