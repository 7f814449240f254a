"""Services of one chain on a real engine: they share memory with each other, and with nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainctl.segments
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.labels import shared_volume
from chainctl.deploy.operations import EnsureNetwork
from chainctl.deploy.release import ServiceSpec
from chainctl.events import Notice
from tests.docker.target_rig import Rig, engine, image, rig, waited_for

pytestmark = pytest.mark.docker
__all__ = ["engine", "image", "rig"]
PLACE = "/run/chainctl/shared"
MODULES = ("reference", "pages", "directory", "owner", "file", "view", "store", "pool")
CONTENT = "bytes(range(251)) * 20000"


def run(rig: Rig, spec: ServiceSpec, program: str) -> str:
    """Run a program in a service's container; return what it says."""
    with rig.engine.client() as client:
        made = client.exec_create(spec.name, ["python3", "-W", "error", "-c", program])
        said = str(client.exec_start(made["Id"]).decode())
        assert client.exec_inspect(made["Id"])["ExitCode"] == 0, said
    return said.strip()


def run_beside(rig: Rig, spec: ServiceSpec, program: str) -> None:
    """Run a program in a service's container for as long as that lasts."""
    with rig.engine.client() as client:
        made = client.exec_create(spec.name, ["python3", "-c", program])
        client.exec_start(made["Id"], detach=True)


def sharing(program: str) -> str:
    """Return a program that has `pool` and `store`, from the sources of the room: the image has none."""
    place = Path(next(iter(chainctl.segments.__path__)))
    sources = {name: (place / f"{name}.py").read_text() for name in MODULES}
    return f"""
import sys, types
from pathlib import Path
for package in ("chainctl", "chainctl.segments"):
    sys.modules[package] = types.ModuleType(package)
for name, source in {sources!r}.items():
    module = types.ModuleType(f"chainctl.segments.{{name}}")
    sys.modules[module.__name__] = module
    exec(source, vars(module))
from chainctl.segments.store import SegmentStore
from chainctl.segments.pool import SegmentPool
store = SegmentStore(Path({PLACE!r}))
pool = SegmentPool(Path({PLACE!r}), store=store)
{program}
"""


@pytest.fixture(scope="module")
def pair(engine: Engine, image: str) -> Iterator[Rig]:
    """A chain of two services."""
    rig = Rig(engine, image)
    rig.start(rig.spec("Sender"), rig.spec("Receiver"))
    yield rig
    rig.sweep()


def test_the_place_is_private_bounded_and_not_executable(pair: Rig) -> None:
    """In memory, of the services' user, with a size; the service is told where and how much."""
    program = f"""
import json, os
from pathlib import Path
found, room = os.stat({PLACE!r}), os.statvfs({PLACE!r})
line = next(line for line in Path("/proc/mounts").read_text().splitlines() if line.split()[1] == {PLACE!r})
told = {{name: os.environ[name] for name in ("CHAINCTL_SHARED_DIR", "CHAINCTL_SHARED_BYTES")}}
print(json.dumps([oct(found.st_mode), found.st_uid, room.f_frsize * room.f_blocks, line.split()[2:4], told]))
"""
    said = run(pair, pair.spec("Sender"), program)
    mode, owner, size, (kind, options), told = json.loads(said)
    assert (mode, owner, size, kind) == ("0o40700", 10001, 1 << 30, "tmpfs")
    assert {"rw", "nosuid", "nodev", "noexec"} <= set(options.split(","))
    assert told == {"CHAINCTL_SHARED_DIR": PLACE, "CHAINCTL_SHARED_BYTES": str(24 << 20)}


def test_two_services_of_a_chain_share_buffers(pair: Rig) -> None:
    """What one places the other finds, and passes on without a copy, all confined as they are."""
    sender, receiver = pair.spec("Sender"), pair.spec("Receiver")
    placing = f"""
import os, signal
reference = pool.place(memoryview({CONTENT}))
Path({PLACE!r}, "note.part").write_text(reference)
os.rename({PLACE!r} + "/note.part", {PLACE!r} + "/note")
signal.pause()
"""
    run_beside(pair, sender, sharing(placing))
    reading = (
        f"from pathlib import Path; note = Path({PLACE!r}, 'note'); print(note.exists() and note.read_text())"
    )
    reference = waited_for(lambda: found if (found := run(pair, receiver, reading)) != "False" else None)
    finding = f"""
content = {CONTENT}
view = store.find({reference!r}, len(content))
same = view == content
forwarded = pool.place(view)
view[7] = 255
edited = pool.place(view)
print(same, forwarded == {reference!r}, edited.split(":")[0] != forwarded.split(":")[0], store.identity)
pool.release([forwarded, edited])
pool.close()
"""
    said = run(pair, receiver, sharing(finding)).split()
    assert said[:3] == ["True"] * 3
    assert said[3] == run(pair, sender, sharing("print(store.identity)"))


def test_another_chain_shares_nothing_with_it(pair: Rig, rig: Rig) -> None:
    """Each chain has a volume of its own, and its services have no other."""
    spec = rig.spec()
    rig.start(spec)
    run(pair, pair.spec("Sender"), f"open({PLACE!r} + '/mine', 'x').close()")
    listing = f"import os; print(os.listdir({PLACE!r}))"
    assert "mine" in run(pair, pair.spec("Receiver"), listing)
    assert run(rig, spec, listing) == "[]"
    mounts = [mount["Name"] for mount in rig.inspect(spec.name)["Mounts"]]
    assert sorted(mounts) == sorted([shared_volume(rig.chain), f"{spec.name}-secrets"])


def test_a_second_push_restarts_nothing_and_down_removes_all(rig: Rig) -> None:
    """A service that runs is the same service, with the volume or, from before, without."""
    specs = [rig.spec("Other"), rig.spec()]
    rig.push(rig.desired(*specs))
    before = [rig.inspect(spec.name)["Id"] for spec in specs]
    assert rig.push(rig.desired(*specs)).is_empty
    assert [rig.inspect(spec.name)["Id"] for spec in specs] == before
    assert shared_volume(rig.chain) in rig.leftovers()
    rig.down()
    assert rig.leftovers() == []


def test_a_volume_that_is_somebody_elses_is_not_mounted(rig: Rig) -> None:
    """The services run without shared memory, and that is said once."""
    name = shared_volume(rig.chain)
    with rig.engine.client() as client:
        client.create_volume(name)
        try:
            rig.apply(EnsureNetwork(rig.chain, "test"))
            specs = [rig.spec("Other"), rig.spec()]
            rig.push(rig.desired(*specs))
            mounts = [mount["Name"] for spec in specs for mount in rig.inspect(spec.name)["Mounts"]]
            assert mounts == [f"{spec.name}-secrets" for spec in specs]
        finally:
            rig.sweep()
            client.remove_volume(name)
    assert notices(rig) == [
        f"The services of {rig.chain} run without shared memory: the volume {name} is somebody else's"
    ]


def test_a_volume_that_can_not_be_mounted_is_done_without(rig: Rig) -> None:
    """The engine finds out only when the service starts; that start is made good."""
    name = shared_volume(rig.chain)
    labels = {"chainctl.chain": rig.chain}
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,no-such-option=1"}
    with rig.engine.client() as client:
        client.create_volume(name, driver="local", driver_opts=options, labels=labels)
    spec = rig.spec()
    rig.start(spec)
    assert [mount["Name"] for mount in rig.inspect(spec.name)["Mounts"]] == [f"{spec.name}-secrets"]
    (notice,) = notices(rig)
    assert name in notice
    rig.down()
    assert rig.leftovers() == []


def test_a_full_volume_places_nothing(rig: Rig) -> None:
    """On a real full file system: no signal ends the service, no half of a segment is left, and room is used."""
    labels = {"chainctl.chain": rig.chain}
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=3m,uid=10001,gid=10001,mode=0700"}
    with rig.engine.client() as client:
        client.create_volume(shared_volume(rig.chain), "local", options, labels)
    rig.start(rig.spec())
    program = f"""
import os
content = memoryview(bytes(2 << 20))
first, second = pool.place(content), pool.place(content)
print(first is not None, second, len(os.listdir({PLACE!r})), store.find(first, 2 << 20) == content)
pool.close()
"""
    assert run(rig, rig.spec(), sharing(program)) == "True None 2 True"


def notices(rig: Rig) -> list[str]:
    return [event.text for event in rig.events if isinstance(event, Notice)]
