"""The place of a model class and its configuration in; a Worker whose model is loaded out."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Optional

from chainctl.telemetry.telemetry import Telemetry
from chainctl.worker.boot import ChainletManifest, watch
from chainctl.worker.models.model_worker import ModelLimits, ModelWorker
from chainctl.worker.models.site import ModelSite, arguments_of
from chainctl.worker.origin import Origin

PACKAGES = "packages"
Loop = Callable[[], asyncio.AbstractEventLoop]


def boot_model(
    module: str,
    qualname: str,
    truss_config: Mapping[str, Any],
    manifest: ChainletManifest,
    loop: Loop,
    telemetry: Optional[Telemetry] = None,
    name: str = "",
) -> ModelWorker:
    """Fetch what the model reads, import its module, create it, load it.

    Raises what user code raises, ChainsUsageError, CannotStartError. `name` is what its service is called, by
    default as its class. `loop` gives the event loop that calls will run on, and waits for it: async methods run
    there, so that what they make works in calls.
    """
    if truss_config.get("external_data") or truss_config.get("model_cache"):
        from chainctl.worker.models.fetch import with_files  # what few models need

        manifest = with_files(truss_config, manifest)
    worker = loaded_model(module, qualname, truss_config, ModelSite.deployed(manifest), loop, name)
    worker.origin = Origin(module, qualname, None, _root_of(module))
    worker.servings.committed = manifest.generation
    if telemetry is not None:
        watch(worker, telemetry)
    return worker


def loaded_model(
    module: str, qualname: str, truss_config: Mapping[str, Any], site: ModelSite, loop: Loop, name: str = ""
) -> ModelWorker:
    """Create and load a model anywhere. Code in the directory `packages` beside it can be imported.

    That is looked through last, as Truss has it: nothing that is installed is hidden by it. As there, too, a
    model is told of its environment only where there is one.
    """
    root = _root_of(module)
    sys.path.insert(0, str(root))  # an image has a link to the code, too: it is to be known by one path
    packages = str(root / PACKAGES)
    if packages not in sys.path and Path(packages).is_dir():
        sys.path.append(packages)
    cls: Any = importlib.import_module(module)
    for part in qualname.split("."):
        cls = getattr(cls, part)
    model = cls(**arguments_of(cls, truss_config, site, root))
    limits = ModelLimits.of(truss_config)
    worker = ModelWorker(name or qualname, model, limits)
    if site.environment:
        _run(getattr(model, "setup_environment", None), loop, site.environment_form)
    _run(getattr(model, "load", None), loop)
    return worker


def data_beside(module: str) -> Path:
    """Return the data directory of a model that runs from its own directory; there may be none."""
    return _root_of(module) / "data"


def _root_of(module: str) -> Path:
    """The directory from which a module will be imported. Raises ModuleNotFoundError."""
    top = module.partition(".")[0]
    spec = importlib.util.find_spec(top)
    if spec is None:
        raise ModuleNotFoundError(f"No module named {top!r}", name=top)
    places = spec.submodule_search_locations
    return Path(next(iter(places)) if places else str(spec.origin)).resolve().parent


def _run(function: Optional[Callable[..., Any]], loop: Loop, *arguments: Any) -> None:
    """Run a method of a model to its end, one that is async on the event loop."""
    made = function(*arguments) if function is not None else None
    if not asyncio.iscoroutine(made):
        return
    _waited_for(made, loop())


def _waited_for(work: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(work, loop).result()
    else:
        loop.run_until_complete(work)
