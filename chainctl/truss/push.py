"""`push` as chain files written for Truss Chains call it: their arguments in, what chainctl's own gives out."""

from __future__ import annotations

import importlib
import warnings
from typing import Any, Optional

from chainctl.errors import ChainsUsageError, DeployError

ChainsDeploymentError = DeployError


def push(
    entrypoint: type,
    chain_name: Optional[str] = None,
    publish: bool = True,
    promote: bool = True,
    only_generate_trusses: bool = False,
    remote: str = "",
    environment: Optional[str] = None,
    **others: Any,
) -> Any:
    """Push the chain that hangs on a chainlet class to this machine's target, and return it.

    What chooses a place or a stage on a platform is ignored with a warning: here a push always serves.
    Raises ChainsUsageError for `only_generate_trusses`, and what `chainctl.push` raises.
    """
    if only_generate_trusses:
        raise ChainsUsageError(
            "`only_generate_trusses=True` asks for Truss directories, which chainctl does not make.",
            hint="`chainctl render chain.py --output DIR` writes what the images are built from.",
        )
    written = {"publish": not publish, "promote": not promote, "remote": remote, "environment": environment}
    ignored = [name for name, is_written in {**written, **others}.items() if is_written]
    if ignored:
        names = ", ".join(f"`{name}`" for name in sorted(ignored))
        warnings.warn(f"ignored by `push`, because there is no platform here: {names}", stacklevel=2)
    return importlib.import_module("chainctl").push(entrypoint, chain_name)
