"""A chain file and options in; all that watching it needs of the world, out."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainctl.cli.calling import api_key
from chainctl.cli.console import Console, now
from chainctl.cli.drafting import draft_of
from chainctl.cli.imaging import loaded_chain
from chainctl.cli.loading import load_graph
from chainctl.cli.pushing import push_file
from chainctl.cli.surroundings import secret_sources
from chainctl.cli.wiring import world_of
from chainctl.cli.worlds import World
from chainctl.deploy.execute import Turn
from chainctl.deploy.release import Release
from chainctl.deploy.state import ObservedState
from chainctl.graph.graph import ChainGraph
from chainctl.workflows.call import call
from chainctl.workflows.redeploy import latest_of
from chainctl.workflows.renew import renew

if TYPE_CHECKING:
    from chainctl.workflows.push import Pushed


class ChainSite:
    """The world of one chain file. `pushed` is what the last push came to."""

    def __init__(
        self, file: str, console: Console, *, target: str | None, name: str | None, secrets: Path | None
    ) -> None:
        self._file = file
        self._console = console
        self._options: dict[str, Any] = {"target": target, "name": name, "secrets": secrets}
        self._graph: ChainGraph | None = None
        self._world: World | None = None
        self._api_key: str | None = None
        self.pushed: Pushed | None = None

    @property
    def world(self) -> World:
        """Where the chain runs; it was pushed before."""
        assert self._world is not None
        return self._world

    @property
    def chain(self) -> str:
        """The chain's name; it was pushed before."""
        assert self.pushed is not None
        return self.pushed.chain

    def load(self) -> ChainGraph:
        self._graph = load_graph(self._file)
        return self._graph

    def read(self, path: str) -> bytes | None:
        try:
            return Path(path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None

    def push(self) -> Release:
        """Push, or find that the chain serves as it is. Raises what a push raises."""
        self.pushed = push_file(self._file, self._console, **self._options)
        settings = loaded_chain(self._loaded(), Console(is_quiet=True), **self._options).settings
        self._world = world_of(self.pushed.chain, settings, self._console.line)
        settings = self._world.settings
        self._api_key = api_key(secret_sources(settings).find(settings.api_key_secret or ""))
        return latest_of(self._world.ledger, self.pushed.chain).release

    def renew(self, chainlets: Iterable[str], generation: int, turn: Turn) -> None:
        loaded = loaded_chain(self._loaded(), Console(is_quiet=True), **self._options)
        draft, world = draft_of(loaded, self._console, is_locked=None)
        try:
            renew(
                draft, set(chainlets), generation, turn,
                world.backend, world.target, world.ledger, self._console.emit, now,
            )  # fmt: skip
        finally:
            self._console.stop()

    def call(self, media: str, body: bytes) -> bytes:
        """Send a request to the front door; the answer. Raises CallFailedError."""
        assert self.pushed is not None
        url = self.pushed.url
        return call(
            url,
            body,
            chain=self.chain,
            api_key=self._api_key,
            content_type=media,
            connect=lambda: self.world.target.connect(self.chain),
        ).read()

    def observe(self) -> ObservedState:
        return self.world.target.observe(self.chain)

    def mark(self, services: Iterable[str]) -> None:
        ledger, wanted = self.world.ledger, set(services)
        marked = ledger.edited(self.chain)
        if not wanted <= marked:
            ledger.mark_edited(self.chain, marked | wanted)

    def _loaded(self) -> ChainGraph:
        return self._graph or self.load()
