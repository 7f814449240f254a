"""A chain, a fidelity, fakes and secrets in; the chain, run as they say, out."""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from chainctl.errors import ChainDefinitionError, UsageError
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.describe import display_name
from chainctl.sdk.checks import problems_of
from chainctl.sdk.context import DeployedServiceDescriptor
from chainctl.sdk.declaration import declaration_of
from chainctl.sdk.fake_checks import fake_problems
from chainctl.testing.imported import imported
from chainctl.testing.recorded import RecordedCall, Recorder
from chainctl.testing.serving import served_fake
from chainctl.wire.log_line import readable

INLINE, CODEC, PROCESS, ISOLATED, DEPLOYED = FIDELITIES = (
    "inline",
    "codec",
    "process",
    "isolated",
    "deployed",
)
_SEEN = (INLINE, CODEC)
Chain = type | str | Path
"""An entrypoint's class, or a chain file, `chain.py` or `chain.py:Class`."""


@dataclass(frozen=True, slots=True)
class RunningChain:
    """A chain that runs. `run_remote` is called like the entrypoint's own: what is async there is async here.

    `url` is where it answers, None where it runs in the test's own process. `seen` names the chainlets
    whose calls are recorded, None for all; `chainlets` those of the whole chain.
    """

    entrypoint: type
    fidelity: str
    run_remote: Any
    url: str | None = None
    _recorder: Recorder = field(default_factory=Recorder)
    seen: frozenset[str] | None = None
    chainlets: frozenset[str] = frozenset()

    @property
    def calls(self) -> list[RecordedCall]:
        """All calls that are seen, in the order in which they began: in one process those of every chainlet.

        In processes of their own, and deployed, those of the entrypoint and of fakes.
        """
        return self._recorder.calls

    def calls_of(self, chainlet: type | str) -> list[RecordedCall]:
        """The calls of one chainlet, by its class or its display name.

        Raises UsageError where they are not seen, and for who is no chainlet of the chain.
        """
        name = chainlet if isinstance(chainlet, str) else display_name(chainlet)
        _require_known(self.entrypoint, name, self.chainlets)
        if self.seen is not None and name not in self.seen:
            raise UsageError(
                f"the calls of {name} happen in other processes at the fidelity {self.fidelity}",
                hint=f"ask for them at one of {', '.join(_SEEN)}, or give a fake for it.",
            )
        return [call for call in self.calls if call.chainlet == name]


@contextmanager
def run_chain(
    chain: Chain,
    *,
    fidelity: str = INLINE,
    fakes: Mapping[type | str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    data_dir: Path | str | None = None,
    url: str | None = None,
    api_key: str | None = None,
) -> Iterator[RunningChain]:
    """Run a chain for the time of a `with` block.

    `fakes` maps chainlets, by class or display name, to what stands for them: a class or an object, which
    always runs in the test's own process. Its `run_remote` must have the signature of the real one. `secrets`
    are seen by those who declare them, and win over those of the environment. `data_dir` is for chains in
    the test's own process. `url` is that of a chain that serves already, for the fidelity "deployed", and
    `api_key` what it is called with.
    Raises ChainDefinitionError for a chain or a fake that is wrong, with file and line; UsageError.
    """
    if fidelity not in FIDELITIES:
        raise UsageError(f"there is no fidelity {fidelity}", hint=f"use one of {', '.join(FIDELITIES)}.")
    entrypoint = _entrypoint(chain)
    known = {declaration_of(cls).display_name: cls for cls in _below(entrypoint)}
    checked = _checked(entrypoint, known, fakes or {})
    with ExitStack() as opened:
        if fidelity in _SEEN:
            running = opened.enter_context(_in_this_process(entrypoint, fidelity, checked, secrets, data_dir))
            yield replace(running, chainlets=frozenset(known))
            return
        recorder, declaration = Recorder(), declaration_of(entrypoint)
        if data_dir is not None:
            raise UsageError(
                f"a chain has the data of its image at the fidelity {fidelity}, and no `data_dir`",
                hint=f"give one at {' or '.join(_SEEN)}.",
            )
        if fidelity == DEPLOYED:
            served = _served(url, fakes)
        else:
            if declaration.display_name in checked:
                raise UsageError(
                    f"{declaration.display_name} is the entrypoint: with a fake in its place nothing is tested"
                )
            urls = {
                name: opened.enter_context(served_fake(*one, recorder, secrets or {}))
                for name, one in checked.items()
            }
            served = opened.enter_context(_in_processes(entrypoint, fidelity, urls, secrets or {}))
        calling = opened.enter_context(_calling(entrypoint, served, api_key))
        run_remote = recorder.around(declaration, calling).run_remote
        seen = frozenset({declaration.display_name, *checked})
        yield RunningChain(entrypoint, fidelity, run_remote, served, recorder, seen, frozenset(known))


def entrypoint_in(chain: Chain) -> str:
    """Write a chain as the command line has it: `chain.py:Class`."""
    if not isinstance(chain, type):
        return str(chain)
    return f"{Path(inspect.getfile(chain)).resolve()}:{chain.__qualname__}"


def _served(url: str | None, fakes: Mapping[type | str, Any] | None) -> str:
    if fakes:
        raise UsageError("a chain that is deployed has no fakes", hint="run the test at another fidelity.")
    if not url:
        raise UsageError("no chain is deployed for this test", hint="run it with `chainctl test chain.py`.")
    return url


def _entrypoint(chain: Chain) -> type:
    """Import the entrypoint into this process; a test wants the classes that it has imported itself."""
    if isinstance(chain, type):
        return chain
    from chainctl.cli.loading import load_graph

    graph = load_graph(str(chain))
    spec = graph.chainlet(graph.entrypoint)
    found: Any = imported(ChainFile.parse(str(chain)), Path(spec.path), spec.module)
    for part in spec.qualname.split("."):
        found = getattr(found, part)
    assert isinstance(found, type)
    return found


def _checked(
    entrypoint: type, known: Mapping[str, type], fakes: Mapping[type | str, Any]
) -> dict[str, tuple[type, Any]]:
    """Return, by display name, chainlets and what stands for them.

    Raises UsageError for who is no chainlet here, ChainDefinitionError.
    """
    found, problems = {}, []
    for key, fake in fakes.items():
        name = key if isinstance(key, str) else display_name(key)
        _require_known(entrypoint, name, known)
        cls = fake if isinstance(fake, type) else type(fake)
        wrong = fake_problems(known[name], cls)
        problems += wrong if isinstance(fake, type) else [p for p in wrong if p.code != "CH1003"]
        found[name] = (known[name], fake)
    if problems:
        raise ChainDefinitionError(problems)
    return found


def _require_known(entrypoint: type, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise UsageError(
            f"the chain of {entrypoint.__name__} has no chainlet called {name}",
            hint=f"it has {', '.join(sorted(known))}.",
        )


def _below(entrypoint: type) -> list[type]:
    """A chainlet and all that it depends on, each once. Raises ChainDefinitionError for one that has problems."""
    found: dict[type, None] = {}
    waiting = [entrypoint]
    while waiting:
        cls = waiting.pop()
        if cls not in found:
            errors = [problem for problem in problems_of(cls) if problem.is_error]
            if errors:
                raise ChainDefinitionError(errors)
            found[cls] = None
            waiting += [dependency.target for dependency in declaration_of(cls).dependencies]
    return list(found)


@contextmanager
def _in_this_process(
    entrypoint: type,
    fidelity: str,
    fakes: Mapping[str, tuple[type, Any]],
    secrets: Mapping[str, str] | None,
    data_dir: Path | str | None,
) -> Iterator[RunningChain]:
    from chainctl.calls.client_loop import ClientLoop
    from chainctl.worker.codec import through_codec
    from chainctl.worker.inline import inline_chainlet
    from chainctl.worker.local import LocalFidelity, run_local

    recorder, declaration = Recorder(), declaration_of(entrypoint)
    how = LocalFidelity(fidelity)
    stand_ins = {name: fake for name, (_, fake) in fakes.items()}
    with run_local(secrets, data_dir, fidelity=how, stand_ins=stand_ins, around=recorder.around):
        made: Any = stand_ins.get(declaration.display_name, entrypoint)
        made = made() if isinstance(made, type) else made
    with closing(ClientLoop()) as loop:
        made = inline_chainlet(made, loop)
        whole = through_codec(declaration, made) if how is LocalFidelity.CODEC else made
        run_remote = recorder.around(declaration, whole).run_remote
        yield RunningChain(entrypoint, fidelity, run_remote, _recorder=recorder)


@contextmanager
def _in_processes(
    entrypoint: type, fidelity: str, urls: Mapping[str, str], secrets: Mapping[str, str]
) -> Iterator[str]:
    """Run the chain but for those chainlets that `urls` stand for."""
    from chainctl.cli.console import Console
    from chainctl.cli.replacing import Replacements
    from chainctl.cli.run_wish import RunWish, load_run
    from chainctl.cli.running_processes import ProcessRun

    with tempfile.TemporaryDirectory(prefix="chainctl-test-") as place:
        wish = RunWish(
            entrypoint_in(entrypoint), fidelity, body=b"{}", replacements=Replacements(urls), given=secrets
        )
        loaded = load_run(wish)
        run = ProcessRun(wish, loaded, Path(place, "state"), Console(is_quiet=True))
        try:
            yield run.bring_up(loaded)
        finally:
            try:
                for line in run.logs():
                    sys.stderr.writelines(f"{line.chainlet} | {text}\n" for text in readable([line.text]))
            finally:
                run.take_down()


@contextmanager
def _calling(entrypoint: type, url: str, api_key: str | None) -> Iterator[Any]:
    """Connections end with each call: a test's event loop may end with it, too."""
    from chainctl.calls.client_loop import ClientLoop
    from chainctl.calls.outside import PATH
    from chainctl.calls.remote import remote_chainlet
    from chainctl.calls.transport import Transport
    from chainctl.sdk.config import RPCOptions

    name = declaration_of(entrypoint).display_name
    service = DeployedServiceDescriptor(
        name=entrypoint.__name__, display_name=name, options=RPCOptions(), predict_url=url
    )
    headers = {"connection": "close", **({"authorization": f"Bearer {api_key}"} if api_key else {})}
    with closing(ClientLoop()) as loop:
        yield remote_chainlet(entrypoint, Transport(service, headers, loop, path=PATH))
