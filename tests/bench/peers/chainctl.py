"""chainctl as a peer: real rendered services, over TCP, over Unix sockets, with and without telemetry."""

from __future__ import annotations

from pathlib import Path
from tempfile import mkdtemp

from tests.bench.jobs import Target
from tests.bench.peers.chain_services import ChainRun, Package
from tests.bench.peers.peer import Peer, Scene
from tests.bench.stage import Stage, StartError

PATH = "/run_remote"
_ROW = ("First", "Second", "Third", "Last")
_FORMS = {"msgpack": "application/octet-stream", "frame": "application/vnd.chainctl.frame"}


def chainctl(package: Package, array_form: str) -> Peer:
    """Return chainctl over TCP, and with shared memory for the `shared` calls."""

    def launch(stage: Stage, python: Path) -> Scene:
        run = ChainRun(package, stage, {})
        hop = run.start("hop", ("Entry", "Inner"))
        fan = run.start("fan", ("Entry", "Inner"))
        targets = {"hop": Target(hop["Entry"].address, PATH), "fan": Target(fan["Entry"].address, PATH)}
        arrays, notes = _arrays(package, stage, array_form)
        services = [place.service for place in hop.values()]
        started = [*services, *(place.service for place in fan.values())]
        return Scene(
            {**targets, **arrays},
            idle=tuple(s.process.pid for s in services),
            ready_secs=tuple(s.ready_sec for s in started),
            notes=notes,
        )

    return Peer("chainctl", (), "", launch)


def chainctl_variant(package: Package, name: str, *, over_unix: bool = False, telemetry: bool = True) -> Peer:
    """Return chainctl with another setting; only for the `hop` call."""

    def launch(stage: Stage, python: Path) -> Scene:
        run = ChainRun(
            package, stage, {} if telemetry else {"CHAINCTL_TELEMETRY": "off"}, over_unix=over_unix
        )
        return Scene({"hop": Target(run.start("hop", ("Entry", "Inner"))["Entry"].address, PATH)})

    return Peer(name, (), "", launch)


def _arrays(package: Package, stage: Stage, array_form: str) -> tuple[dict[str, Target], str]:
    """Start the array chains; say why where this chainctl has none."""

    def target(address: str) -> Target:
        kind = _FORMS[array_form]
        return Target(address, PATH, array_form, kind, kind)

    try:
        plain = ChainRun(package, _sub(stage, "tcp"), {}).start("arrays", _ROW)
        memory = mkdtemp(prefix="chainctl-bench-", dir="/dev/shm")
        stage.shared.append(Path(memory))
        env = {"CHAINCTL_SHARED_DIR": memory}
        shared = ChainRun(package, _sub(stage, "shared"), env).start("arrays", _ROW)
    except StartError as error:
        return {}, f"no arrays: {error}"
    return {
        "array": target(plain["Third"].address),
        "shared1": target(shared["Third"].address),
        "shared2": target(shared["Second"].address),
        "shared3": target(shared["First"].address),
    }, ""


def _sub(stage: Stage, name: str) -> Stage:
    """Return a stage that has a directory of its own and the same services."""
    directory = stage.directory / name
    directory.mkdir()
    return Stage(directory, stage.services)
