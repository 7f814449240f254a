"""`with chains.run_local():` – what is shared, what is given, what is refused, and what the codec finds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pydantic
import pytest

import chainctl as chains
from chainctl.sdk.resolver import CURRENT_RESOLVER
from chainctl.worker.local import LocalFidelity
from chainctl.worker.output import OutputMismatch

HERE = Path(__file__).resolve().parent


class Request(pydantic.BaseModel):
    names: list[str]
    data: bytes = b""


class Counter(chains.ChainletBase):
    remote_config = chains.RemoteConfig(name="the-counter")

    def __init__(self) -> None:
        self.calls = 0

    def run_remote(self, number: int = 1) -> int:
        self.calls += number
        return self.calls


class Left(chains.ChainletBase):
    def __init__(self, counter: Any = chains.depends(Counter)) -> None:
        self.counter = counter

    def run_remote(self) -> int:
        return int(self.counter.run_remote())


class Right(chains.ChainletBase):
    def __init__(self, counter: Any = chains.depends("Counter", retries=3)) -> None:
        self.counter = counter

    def run_remote(self) -> int:
        return int(self.counter.run_remote())


class Diamond(chains.ChainletBase):
    def __init__(self, left: Any = chains.depends(Left), right: Any = chains.depends(Right)) -> None:
        self.left = left
        self.right = right

    def run_remote(self) -> list[int]:
        return [self.left.run_remote(), self.right.run_remote()]


class WithContext(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        assets=chains.Assets(secret_keys=["token", "absent"]),
        docker_image=chains.DockerImage(data_dir=chains.make_abs_path_here(str(HERE))),
    )

    def __init__(
        self,
        counter: Any = chains.depends(Counter),
        context: chains.DeploymentContext = chains.depends_context(),
    ) -> None:
        self.context = context

    def run_remote(self) -> str:
        return self.context.secrets["token"]


class Mutating(chains.ChainletBase):
    async def run_remote(self, request: Request, tags: list[str]) -> Request:
        request.names.append("changed")
        tags.append("changed")
        return request


class Wrong(chains.ChainletBase):
    def run_remote(self, kind: str) -> int:
        results: dict[str, Any] = {"none": None, "text": "three", "number": 3, "object": object()}
        found: int = results[kind]
        return found


class Streaming(chains.ChainletBase):
    async def run_remote(self, items: list[str]) -> AsyncIterator[str]:
        for item in items:
            yield item


class Caller(chains.ChainletBase):
    def __init__(
        self,
        mutating: Any = chains.depends(Mutating),
        wrong: Any = chains.depends(Wrong),
        streaming: Any = chains.depends(Streaming),
        counter: Any = chains.depends(Counter),
    ) -> None:
        self.mutating = mutating
        self.wrong = wrong
        self.streaming = streaming
        self.counter = counter

    async def run_remote(self) -> int:
        return 1


def test_dependencies_are_shared() -> None:
    """Both ways to a chainlet lead to one instance; another context makes another one."""
    with chains.run_local():
        diamond = Diamond()
        assert diamond.run_remote() == [1, 2]
        assert diamond.left.counter is diamond.right.counter
        again = Diamond()
        assert again is not diamond
        assert again.left is diamond.left
    with chains.run_local():
        assert Diamond().run_remote() == [1, 2]


def test_given_arguments_win() -> None:
    """A fake is put in by name, whatever it is; the rest is injected."""

    class Fake:
        def run_remote(self) -> int:
            return 42

    with chains.run_local():
        diamond = Diamond(left=Fake())
        assert diamond.run_remote() == [42, 1]
        with pytest.raises(TypeError, match="middle"):
            Diamond(middle=Fake())  # type: ignore[call-arg]  # the point


def test_ends_with_the_block() -> None:
    """After the block, and after an error in it, chainlets cannot be created any more."""

    def fails() -> None:
        with chains.run_local():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert CURRENT_RESOLVER.get() is None
    with pytest.raises(chains.ChainsRuntimeError, match="created directly"):
        Diamond()


def test_nested_blocks() -> None:
    """An inner block has instances and secrets of its own; the outer one goes on afterwards."""
    with chains.run_local(secrets={"token": "outer"}):
        outer = Left()
        outer.run_remote()
        with chains.run_local(secrets={"token": "inner"}):
            assert WithContext().run_remote() == "inner"
            assert Left().run_remote() == 1
        assert WithContext().run_remote() == "outer"
        assert Left().counter is outer.counter


def test_tasks_do_not_see_each_others_blocks() -> None:
    """Two tasks that run a chain at the same time do not share it."""

    async def work(secret: str, together: asyncio.Barrier) -> str:
        with chains.run_local(secrets={"token": secret}):
            await together.wait()
            return WithContext().run_remote()

    async def both() -> tuple[str, str]:
        together = asyncio.Barrier(2)
        first, second = await asyncio.gather(work("a", together), work("b", together))
        return first, second

    assert asyncio.run(both()) == ("a", "b")


def test_only_declared_secrets() -> None:
    """A chainlet sees the secrets that it declares, as it will when it is deployed."""
    with chains.run_local(secrets={"token": "t", "other": "o"}):
        secrets = WithContext().context.secrets
    assert secrets["token"] == "t"
    with pytest.raises(chains.MissingDependencyError, match="`other` is not declared"):
        secrets["other"]
    with pytest.raises(chains.MissingDependencyError, match="`absent` has no value"):
        secrets["absent"]


def test_context() -> None:
    """The context names the services of the dependencies; there is no environment."""
    with chains.run_local():
        context = WithContext().context
    assert set(context.chainlet_to_service) == {"Counter"}
    assert context.get_service_descriptor("Counter").display_name == "the-counter"
    assert context.environment is None


def test_given_services() -> None:
    """Services may be given, such as ones that really run somewhere."""
    service = chains.DeployedServiceDescriptor(name="Counter", display_name="c", predict_url="http://a/b")
    with chains.run_local(chainlet_to_service={"Counter": service}):
        assert WithContext().context.get_service_descriptor("Counter") is service


def test_data_dir(tmp_path: Path) -> None:
    """The data directory is the declared one, unless another one is given."""
    with chains.run_local():
        assert WithContext().context.data_dir == HERE
    with chains.run_local(data_dir=tmp_path):
        assert WithContext().context.data_dir == tmp_path
    with chains.run_local(data_dir=str(tmp_path)):
        assert WithContext().context.data_dir == tmp_path


def test_problems_are_found_before_anything_is_created() -> None:
    """A chainlet with problems, or one that depends on such a one, is not created: all are listed."""

    class Broken(chains.ChainletBase):
        def __init__(self, size: int = 3) -> None: ...

        def run_remote(self, name) -> str:  # type: ignore[no-untyped-def]  # the point
            return str(name)

    class Above(chains.ChainletBase):
        def __init__(self, broken: Any = chains.depends(Broken)) -> None: ...

        def run_remote(self) -> int:
            return 1

    for cls in (Broken, Above):
        with chains.run_local(), pytest.raises(chains.ChainsUsageError, match="2 problems") as caught:
            cls()
        assert [code in str(caught.value) for code in ("CH0305", "CH0404")] == [True, True]
        assert f"{Path(__file__).name}:" in str(caught.value)


def test_problems_do_not_leak() -> None:
    """A broken class somewhere does not disturb others, and a second run shows the same problem once."""

    class Broken(chains.ChainletBase):
        remote_config: ClassVar[Any] = 3
        run_remote: Any = 3

    class Creatable(Broken):
        def __init__(self) -> None: ...

    for _ in range(2):
        with chains.run_local(), pytest.raises(chains.ChainsUsageError, match="2 problems"):
            Creatable()
    with chains.run_local():
        assert Left().run_remote() == 1


class Ping(chains.ChainletBase):
    def __init__(self, pong: Any = chains.depends("Pong")) -> None: ...

    def run_remote(self) -> int:
        return 1


class Pong(chains.ChainletBase):
    def __init__(self, ping: Any = chains.depends(Ping)) -> None: ...

    def run_remote(self) -> int:
        return 1


def test_circle() -> None:
    """A circle is an error, not an endless recursion."""
    with chains.run_local(), pytest.raises(chains.ChainsUsageError, match="Ping → Pong → Ping"):
        Ping()


@pytest.mark.parametrize("created_in", ["the root", "a dependency"])
def test_chainlets_cannot_create_chainlets(created_in: str) -> None:
    """Creating a chainlet in an `__init__` raises here as it does when deployed."""

    class Creates(chains.ChainletBase):
        def __init__(self) -> None:
            self.left = Left()

        def run_remote(self) -> int:
            return 1

    class Above(chains.ChainletBase):
        def __init__(self, creates: Any = chains.depends(Creates)) -> None: ...

        def run_remote(self) -> int:
            return 1

    with chains.run_local(), pytest.raises(chains.ChainsRuntimeError, match="`Left` was created directly"):
        _ = Creates() if created_in == "the root" else Above()


def test_inline_shares_objects() -> None:
    """By default calls are plain calls: arguments are shared and results are not checked."""
    request = Request(names=["a"])
    tags: list[str] = []
    with chains.run_local():
        caller = Caller()
        assert asyncio.run(caller.mutating.run_remote(request, tags)) is request
        assert (request.names, tags) == (["a", "changed"], ["changed"])
        assert caller.wrong.run_remote("text") == "three"


# --- through the codec -------------------------------------------------------------------------


@pytest.fixture
def caller() -> Any:
    """A chainlet whose dependencies are called through the wire format."""
    with chains.run_local(fidelity=LocalFidelity.CODEC):
        return Caller()


def test_codec_copies_arguments(caller: Any) -> None:
    """What a dependency does to its arguments stays there, and its result is a new object."""
    request = Request(names=["a"], data=b"\xff")
    tags: list[str] = []
    found = asyncio.run(caller.mutating.run_remote(request, tags=tags))
    assert found == Request(names=["a", "changed"], data=b"\xff")
    assert found is not request
    assert (request.names, tags) == (["a"], [])


@pytest.mark.parametrize("kind", ["none", "text", "object"])
def test_codec_checks_results(caller: Any, kind: str) -> None:
    """A result that is not what the annotation says fails here, with the name of the chainlet."""
    assert caller.wrong.run_remote("number") == 3
    with pytest.raises(OutputMismatch, match=r"`Wrong\.run_remote` returned"):
        caller.wrong.run_remote(kind)


def test_codec_checks_arguments(caller: Any) -> None:
    """A wrong, missing or unknown argument fails at the call."""
    with pytest.raises(TypeError, match=r"`the-counter\.run_remote` was called with `number`"):
        caller.counter.run_remote(number=object())
    with pytest.raises(TypeError, match="missing"):
        caller.wrong.run_remote()
    with pytest.raises(TypeError, match="unexpected"):
        caller.counter.run_remote(nmuber=3)


def test_codec_keeps_defaults(caller: Any) -> None:
    """Arguments that are not given are the function's own defaults."""
    assert caller.counter.run_remote() == 1
    assert caller.counter.run_remote(number=3) == 4
    assert caller.counter.run_remote(3) == 7
    assert repr(caller.counter) == "<the-counter through the codec>"


def test_codec_streams(caller: Any) -> None:
    """Streams are streams; an item of the wrong type fails."""

    async def collected(items: Any) -> list[str]:
        return [item async for item in caller.streaming.run_remote(items)]

    assert asyncio.run(collected(["a", "ß", ""])) == ["a", "ß", ""]
    with pytest.raises(TypeError, match=r"`items\.0`"):
        asyncio.run(collected([3]))


def test_codec_shares_instances() -> None:
    """Dependencies are shared in this fidelity as well."""
    with chains.run_local(fidelity=LocalFidelity.CODEC):
        assert Diamond().run_remote() == [1, 2]
