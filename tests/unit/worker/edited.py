"""A chainlet whose sources are texts of a test, loaded as a service loads it, and edited while it runs."""

from __future__ import annotations

import contextlib
import importlib
import json
import linecache
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from chainctl.calls.call_context import CURRENT_CALL, CallContext
from chainctl.worker.boot import ChainletManifest, boot
from chainctl.worker.generations.generations import Generations
from chainctl.worker.generations.refusal import Refused
from chainctl.worker.in_process import InProcessWorker
from chainctl.worker.worker import Call

HEAD = "from __future__ import annotations\n\nimport chainctl as chains\n\n"


class Edited:
    """One chainlet in this process, and its generations."""

    def __init__(self, root: Path, qualname: str, module: str, manifest: ChainletManifest) -> None:
        self.root = root
        self.module = module
        self.worker: InProcessWorker = boot(module, qualname, manifest)
        assert self.worker.origin is not None
        self.generations = Generations(self.worker.servings, self.worker.origin)

    @property
    def instance(self) -> Any:
        return self.worker.servings.at(self.generations.committed).instance

    @property
    def loaded(self) -> Any:
        return sys.modules[self.module]

    def edit(self, action: Any, removed: tuple[str, ...] = (), retire: bool = True, **files: str) -> int:
        """Prepare and commit the next generation: files by name without `.py`."""
        number = self.generations.committed + 1
        self.prepare(number, action, removed, **files)
        self.generations.commit(number)
        if retire:
            self.generations.retire(number)
        return number

    def prepare(self, number: int, action: Any, removed: tuple[str, ...] = (), **files: str) -> None:
        texts: dict[str, str | None] = {f"{name.replace('__', '/')}.py": text for name, text in files.items()}
        self.generations.prepare(number, action, {**texts, **dict.fromkeys(removed)}, seconds=20)

    def refused(self, action: Any, removed: tuple[str, ...] = (), **files: str) -> Refused:
        """Prepare what is refused; what was said."""
        before = self.generations.status()
        try:
            self.prepare(self.generations.committed + 1, action, removed, **files)
        except Refused as error:
            assert self.generations.status() == before
            return error
        raise AssertionError("the edit was taken")

    async def call(self, generation: int | None = None, **arguments: Any) -> Any:
        """Call it as the server does; its result, or its error's message."""
        context = CallContext(generation=generation)
        CURRENT_CALL.set(context)
        reply = await self.worker.call(Call(json.dumps(arguments).encode(), context=context))
        assert isinstance(reply.body, bytes), reply
        value = json.loads(reply.body)
        return value if reply.status == 200 else value["error"]["message"]


@contextlib.contextmanager
def edited(
    root: Path,
    files: Mapping[str, str],
    qualname: str = "C",
    module: str = "chain",
    services: Mapping[str, str] | None = None,
) -> Iterator[Edited]:
    """Write files, boot a chainlet from them, and leave the interpreter as it was."""
    for name, text in files.items():
        path = root / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    before = set(sys.modules)
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    made: Edited | None = None
    try:
        made = Edited(root, qualname, module, ChainletManifest(services=services or {}, secrets_dir=root))
        yield made
    finally:
        if made is not None:
            made.generations.close()
        sys.path.remove(str(root))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(root)):
                del sys.modules[name]
        for filename in [f for f in linecache.cache if f.startswith(str(root))]:
            del linecache.cache[filename]
