"""The snippets of the documents that this API comes from, as they stand there but for the package's name.

Snippets that load heavy models are chain files: `phi_llm.py` and `mistral_llm.py` in tests/chains/good.
"""

from __future__ import annotations

import asyncio
import enum
import json
from typing import Any

import pydantic
import pytest

import chainctl as chains
from chainctl.sdk.chainlet import entrypoint_mark
from chainctl.sdk.checks import problems_of
from chainctl.sdk.declaration import declaration_of
from tests.unit.worker.loopback import answer, loopback, run

# --- one implementation, several variations ----------------------------------------------------


class Preprocess2x(chains.ChainletBase):
    async def run_remote(self, number: int) -> int:
        return 2 * number


class MyBaseChainlet(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(cpu_count=1, memory="100Mi"),
    )

    def __init__(self, preprocess: Any = chains.depends(Preprocess2x)) -> None:
        self._preprocess = preprocess

    async def run_remote(self, number: int) -> float:
        return 1.0 / float(await self._preprocess.run_remote(number))


class ChainletStringIO(MyBaseChainlet):
    async def run_remote(self, number: str) -> str:  # type: ignore[override]  # as in the document
        return str(await super().run_remote(int(number)))


class Preprocess8x(chains.ChainletBase):
    async def run_remote(self, number: int) -> int:
        return 8 * number


class Chainlet8xPreprocess(MyBaseChainlet):
    def __init__(self, preprocess: Any = chains.depends(Preprocess8x)) -> None:
        super().__init__(preprocess=preprocess)


class Chainlet16Core(MyBaseChainlet):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(cpu_count=16, memory="100Mi"),
    )


DOCKER_IMAGE = chains.DockerImage(pip_requirements=["numpy"])


class SharedImageBase(chains.ChainletBase):
    remote_config = chains.RemoteConfig(docker_image=DOCKER_IMAGE, compute=chains.Compute(cpu_count=1))

    async def run_remote(self, number: int) -> float:
        return 1.0 / number


class SharedImage16Core(SharedImageBase):
    remote_config = chains.RemoteConfig(docker_image=DOCKER_IMAGE, compute=chains.Compute(cpu_count=16))


def test_base_behaviour() -> None:
    """The base class calls its dependency."""
    with chains.run_local():
        chainlet = MyBaseChainlet()
        result = asyncio.run(chainlet.run_remote(4))
        assert result == 1 / (4 * 2)


def test_adapter_for_different_io() -> None:
    """A subclass has another signature and delegates to the base class."""
    with chains.run_local():
        chainlet_string_io = ChainletStringIO()
        result = asyncio.run(chainlet_string_io.run_remote("4"))
        assert result == "0.125"
    assert declaration_of(ChainletStringIO).endpoint.returns is str


def test_substituted_dependency() -> None:
    """A shallow subclass uses another dependency with the base's code."""
    with chains.run_local():
        chainlet_8x_preprocess = Chainlet8xPreprocess()
        result = asyncio.run(chainlet_8x_preprocess.run_remote(4))
        assert result == 1 / (4 * 8)


def test_overridden_remote_config() -> None:
    """A new value in a subclass leaves the base as it was; a change in place is refused."""
    assert Chainlet16Core.remote_config.compute.cpu_count == 16
    assert MyBaseChainlet.remote_config.compute.cpu_count == 1
    assert SharedImage16Core.remote_config.docker_image is SharedImageBase.remote_config.docker_image
    with pytest.raises(chains.ChainsUsageError, match="in place"):
        Chainlet16Core.remote_config.compute.cpu_count = 8  # type: ignore[misc]  # the point


# --- the basics --------------------------------------------------------------------------------


class SayHello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"


class MyChainlet(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["torch==2.3.0"]),
        compute=chains.Compute(gpu="H100"),
        assets=chains.Assets(secret_keys=["hf_access_token"]),
    )

    def run_remote(self) -> str:
        return "configured"


@chains.mark_entrypoint
class HelloAll(chains.ChainletBase):
    def __init__(self, say_hello_chainlet: Any = chains.depends(SayHello)) -> None:
        self._say_hello = say_hello_chainlet

    def run_remote(self, names: list[str]) -> str:
        output = []
        for name in names:
            output.append(self._say_hello.run_remote(name))
        return "\n".join(output)


class ConcurrentHello(chains.ChainletBase):
    def __init__(self, dep_chainlet: Any = chains.depends(Preprocess2x)) -> None:
        self._dep_chainlet = dep_chainlet

    async def run_remote(self, numbers: list[int]) -> list[int]:
        tasks = [asyncio.ensure_future(self._dep_chainlet.run_remote(number)) for number in numbers]
        return list(await asyncio.gather(*tasks))


class MistralLLM(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        assets=chains.Assets(secret_keys=["hf_access_token"]),
    )

    def __init__(
        self,
        # Adding the `context` argument, allows us to access secrets
        context: chains.DeploymentContext = chains.depends_context(),
    ) -> None:
        self.auth_token = context.secrets["hf_access_token"]

    def run_remote(self) -> int:
        return len(self.auth_token)


class Modes(enum.Enum):
    MODE_0 = "MODE_0"
    MODE_1 = "MODE_1"


class SplitTextInput(pydantic.BaseModel):
    data: str
    num_partitions: int
    mode: Modes


class SplitTextOutput(pydantic.BaseModel):
    parts: list[str]
    part_lens: list[int]


class SplitText(chains.ChainletBase):
    async def run_remote(self, inputs: SplitTextInput) -> SplitTextOutput:
        size = -(-len(inputs.data) // inputs.num_partitions)
        parts = [inputs.data[i : i + size] for i in range(0, len(inputs.data), size)]
        return SplitTextOutput(parts=parts, part_lens=[len(part) for part in parts])


def test_simplest_chainlet() -> None:
    """One method makes a chainlet, with the defaults of the documents: one CPU, 2 GB, no GPU."""
    assert SayHello().run_remote("Ada") == "Hello, Ada"
    compute = SayHello.remote_config.compute
    assert (compute.cpu_count, compute.memory, compute.gpu) == (1, "2Gi", None)


def test_remote_configuration() -> None:
    """The configuration of the document is accepted as it stands."""
    config = MyChainlet.remote_config
    assert config.docker_image.pip_requirements == ["torch==2.3.0"]
    assert config.compute.gpu == "H100"
    assert config.assets.secret_keys == ["hf_access_token"]


def test_hello_all() -> None:
    """Sync chainlets call each other."""
    with chains.run_local():
        assert HelloAll().run_remote(["Ada", "Alan"]) == "Hello, Ada\nHello, Alan"
    assert entrypoint_mark(HelloAll) is not None


def test_concurrent_calls() -> None:
    """Async chainlets call each other at the same time."""
    with chains.run_local():
        assert asyncio.run(ConcurrentHello().run_remote([1, 2, 3])) == [2, 4, 6]


def test_secret_from_the_context() -> None:
    """The context gives the secret that was declared."""
    with chains.run_local(secrets={"hf_access_token": "hf_123"}):
        assert MistralLLM().auth_token == "hf_123"


def test_pydantic_types() -> None:
    """Models with enums are arguments and results."""
    with chains.run_local():
        inputs = SplitTextInput(data="abcde", num_partitions=2, mode=Modes.MODE_1)
        assert asyncio.run(SplitText().run_remote(inputs)) == SplitTextOutput(
            parts=["abc", "de"], part_lens=[3, 2]
        )


@pytest.mark.parametrize(
    "cls",
    [
        Preprocess2x, MyBaseChainlet, ChainletStringIO, Chainlet8xPreprocess, Chainlet16Core, SharedImage16Core,
        SayHello, MyChainlet, HelloAll, ConcurrentHello, MistralLLM, SplitText,
    ],
)  # fmt: skip
def test_snippets_have_no_problems(cls: type) -> None:
    """The checks find nothing in what the documents show."""
    assert problems_of(cls) == []


# --- stubs -------------------------------------------------------------------------------------


class LLMClient(chains.StubBase):
    async def run_remote(self, prompt: str) -> str:
        # Call the deployed model
        resp = await self._remote.predict_async(
            json_payload={
                "messages": [{"role": "user", "content": prompt}],
                "stream": False,
            }
        )
        # Return a string with the model output
        output: str = resp["output"]
        return output


class Prediction(pydantic.BaseModel):
    output: str


class StubCaller(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        assets=chains.Assets(secret_keys=["baseten_chain_api_key"]),
    )
    url = ""

    def __init__(self, context: chains.DeploymentContext = chains.depends_context()) -> None:
        self._llm = LLMClient.from_url(self.url, context)

    async def run_remote(self, prompt: str) -> str:
        return await self._llm.run_remote(prompt)


def test_stub_calls_a_model_by_its_url() -> None:
    """A stub posts JSON to exactly its URL, with the key from the context's secrets."""

    async def work() -> None:
        reply = answer(b'{"output": "hi"}', 200, "connection: close")
        async with loopback(reply) as served:
            StubCaller.url = f"{served.url}/models/3/predict?v=1"
            with chains.run_local(secrets={"baseten_chain_api_key": "key\n"}):
                assert await StubCaller().run_remote("hello") == "hi"
            sent = served.requests[0]
            assert sent.line == "POST /models/3/predict?v=1 HTTP/1.1"
            assert sent.headers["authorization"] == "Api-Key key"
            messages = [{"role": "user", "content": "hello"}]
            assert json.loads(sent.body) == {"messages": messages, "stream": False}

    run(work())


def test_stub_with_models() -> None:
    """Inputs and outputs may be models; streams are bytes as they come."""

    async def work() -> None:
        async with loopback(answer(b'{"output": "hi"}', 200, "connection: close")) as served:
            stub = LLMClient.from_url(served.url, "key", chains.RPCOptions(timeout_sec=5))
            found = await stub.predict_async(Prediction(output="x"), Prediction)
            assert found == Prediction(output="hi")
            assert served.requests[0].line == "POST / HTTP/1.1"
            assert served.requests[0].body == b'{"output":"x"}'
            stream = await stub.predict_async_stream({})
            assert b"".join([part async for part in stream]) == b'{"output": "hi"}'

    run(work())


def test_stub_without_a_key_or_a_url() -> None:
    """A stub needs a key and an address, and says which one is missing."""
    with chains.run_local(), pytest.raises(chains.MissingDependencyError, match="baseten_chain_api_key"):
        StubCaller()
    with pytest.raises(chains.MissingDependencyError, match="`LLMClient`"):
        LLMClient.from_url("nowhere", "key")
