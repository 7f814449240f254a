"""Ordinary clients against a chain on local processes: what they send arrives, what comes back they understand."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator

import httpx
import msgpack
import msgpack_numpy
import numpy as np
import pytest
import requests

from tests.scenarios.pushed_chain import PushedChain, pushing

CHAIN = """
import numpy as np
import pydantic

import chainctl as chains
from chainctl import pydantic_numpy

CONFIG = chains.RemoteConfig(docker_image=chains.DockerImage(pip_requirements=["numpy"]))


class DataModel(pydantic.BaseModel):
    some_numbers: pydantic_numpy.NumpyArrayField
    other_field: str
    raw: bytes = b""


class Worker(chains.ChainletBase):
    remote_config = CONFIG

    async def run_remote(self, data: DataModel) -> DataModel:
        data.some_numbers.array += 10
        return data


@chains.mark_entrypoint("clients")
class Consumer(chains.ChainletBase):
    remote_config = CONFIG

    def __init__(self, worker: Worker = chains.depends(Worker, use_binary=True)) -> None:
        self._worker = worker

    async def run_remote(self, data: DataModel) -> DataModel:
        return await self._worker.run_remote(data)
"""
OCTETS = {"content-type": "application/octet-stream"}


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedChain]:
    """The chain, pushed once for all clients."""
    with pushing(tmp_path_factory.mktemp("clients"), "local") as push:
        yield push(CHAIN, "clients")


def numbers() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.arange(6, dtype=np.float64).reshape(3, 2)


def packed() -> bytes:
    data = {"some_numbers": numbers(), "other_field": "Example", "raw": b"\x00\xff"}
    return bytes(msgpack.packb({"data": data}, default=msgpack_numpy.encode))


def checked(body: bytes) -> None:
    answer = msgpack.unpackb(body, object_hook=msgpack_numpy.decode)
    assert np.array_equal(answer["some_numbers"], numbers() + 10)
    assert (answer["other_field"], answer["raw"]) == ("Example", b"\x00\xff")


def test_requests_with_msgpack_numpy(chain: PushedChain) -> None:
    """The client of the documentation: msgpack in, msgpack out."""
    answer = requests.post(f"{chain.url}/run_remote", data=packed(), headers=OCTETS, timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/octet-stream")
    checked(answer.content)


def test_httpx_over_one_connection(chain: PushedChain) -> None:
    """Both forms one after the other on a connection that is kept."""
    with httpx.Client(base_url=chain.url, trust_env=False) as client:
        for _ in range(3):
            checked(client.post("/run_remote", content=packed(), headers=OCTETS).content)
            answer = client.post("/run_remote", json=json_form())
            assert answer.json()["some_numbers"]["shape"] == [1, 2]
        assert client.post("/run_remote", content=b"\x93\x01", headers=OCTETS).status_code == 400


def json_form() -> dict[str, object]:
    array = {"shape": [1, 2], "dtype": "float64", "data_b64": "AAAAAAAAAAAAAAAAAADwPw=="}
    return {"data": {"some_numbers": array, "other_field": "Example"}}


def test_curl(chain: PushedChain) -> None:
    """JSON with curl; `accept` asks for the other form."""
    curl = shutil.which("curl")
    assert curl is not None
    command = [curl, "-s", f"{chain.url}/run_remote", "-H", "content-type: application/json", "-d", "@-"]
    sent = json.dumps(json_form()).encode()
    told = subprocess.run(command, input=sent, capture_output=True, check=True, timeout=60).stdout
    assert json.loads(told)["other_field"] == "Example"
    binary = [*command, "-H", "accept: application/msgpack"]
    told = subprocess.run(binary, input=sent, capture_output=True, check=True, timeout=60).stdout
    array = msgpack.unpackb(told, object_hook=msgpack_numpy.decode)["some_numbers"]
    assert array.tolist() == [[10.0, 11.0]]


def test_own_routes_are_not_for_strangers(chain: PushedChain) -> None:
    """What services say to each other cannot be said through the front door, however it is written."""
    for path in ("/-/run_remote", "/%2D/run_remote", "/-/spans", "/%2d/spans"):
        answer = requests.request(
            "GET" if "spans" in path else "POST", chain.url + path, data=b"{}", timeout=60
        )
        assert answer.status_code == 404, path
