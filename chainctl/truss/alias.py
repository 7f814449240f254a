"""An import of `truss_chains` or `truss` in; the module of chainctl that stands for it out.

Chain files that were written for Truss Chains import these names. In processes that run such files for
chainctl, a finder answers for them, so that nothing needs to be installed and no file be edited. It comes
first: a Truss that is installed all the same is not used there.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from typing import Optional

ROOTS = frozenset(["truss", "truss_chains"])
ALIASES = {
    "truss": "",
    "truss.base": "",
    "truss.base.trt_llm_config": "chainctl.truss.engines",
    "truss.base.truss_config": "chainctl.truss.config",
    "truss.truss_config": "chainctl.truss.config",
    "truss_chains": "chainctl.truss.chains",
    "truss_chains.definitions": "chainctl.truss.chains",
    "truss_chains.public_types": "chainctl.truss.chains",
    "truss_chains.pydantic_numpy": "chainctl.pydantic_numpy",
    "truss_chains.remote_chainlet": "",
    "truss_chains.remote_chainlet.stub": "chainctl.truss.chains",
    "truss_chains.remote_chainlet.truss_chainlet": "chainctl.truss.handle",
    "truss_chains.streaming": "chainctl.streaming",
}
"""What stands for a module, "" for an empty package."""
_PACKAGES = frozenset(name.rpartition(".")[0] for name in ALIASES)


def install(*, is_last: bool = False) -> None:
    """Let this process import the names; `is_last` leaves them to a Truss that is installed."""
    if any(isinstance(finder, TrussFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(len(sys.meta_path) if is_last else 0, TrussFinder())


class TrussFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules of `ALIASES`; the module that is imported is the very one that stands for it."""

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]], target: Optional[types.ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        root = fullname.partition(".")[0]
        if root not in ROOTS:
            return None
        if fullname in ALIASES:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=fullname in _PACKAGES)
        if not isinstance(getattr(sys.modules.get(root), "__loader__", None), TrussFinder):
            return None  # of a Truss that is installed
        raise ModuleNotFoundError(f"chainctl has nothing that stands for `{fullname}`", name=fullname)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        if spec.name in _PACKAGES:
            return types.ModuleType(spec.name)
        module = importlib.import_module(ALIASES[spec.name])
        spec.loader_state = module.__spec__  # which the import system is about to replace
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """Give a package the names of what stands for it; any other module is there already, with its own spec."""
        spec = module.__spec__
        assert spec is not None  # the import system has set it
        if spec.name not in _PACKAGES:
            module.__spec__ = spec.loader_state
        elif ALIASES[spec.name]:
            names = vars(importlib.import_module(ALIASES[spec.name]))
            vars(module).update({name: names[name] for name in ("__all__", "__dir__", "__getattr__")})
