"""The example of arrays called as strangers call it: equal answers everywhere, large arrays through shared memory."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress
from chainctl.adapters.docker.labels import shared_volume
from chainctl.adapters.local.paths import LocalPaths
from tests.conftest import ROOT, Chainctl
from tests.scenarios.pushed_chain import JSON, TARGETS, PushedChain, pushing

EXAMPLE = ROOT / "examples" / "arrays"
SMALL = {
    "some_numbers": {"shape": [3], "dtype": "float64", "data_b64": "AAAAAAAA8D8AAAAAAAAAQAAAAAAAAAhA"},
    "other_field": "example",
    "raw": "YWJj",
}
PLACE = "/run/chainctl/shared"


def example_call() -> Any:
    """Return the function with which the example calls."""
    spec = importlib.util.spec_from_file_location("arrays_request", EXAMPLE / "request.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.call


@pytest.fixture(scope="module", params=TARGETS)
def arrays(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PushedChain]:
    """The example on each target."""
    with pushing(tmp_path_factory.mktemp("arrays"), request.param) as push:
        yield push((EXAMPLE / "chain.py").read_text(encoding="utf-8"), "t-arrays")


@pytest.mark.parametrize("dtype", ["float32", "int64", "complex64", ">i2", "uint8"])
def test_arrays_keep_their_type(dtype: str, arrays: PushedChain) -> None:
    """Numbers come back ten larger, of the same type, shape and byte order."""
    sent = np.arange(6).astype(dtype).reshape(2, 3)
    result = example_call()(arrays.url, {"some_numbers": sent})
    np.testing.assert_array_equal(result["some_numbers"], sent + 10)
    assert result["some_numbers"].dtype == sent.dtype


def test_what_can_not_be_added_to_is_an_error(arrays: PushedChain) -> None:
    """Text arrives as text; the worker's own error comes back."""
    with pytest.raises(urllib.error.HTTPError) as refused:
        example_call()(arrays.url, {"some_numbers": np.array(["a", "b"])})
    assert refused.value.code == 500
    assert json.load(refused.value)["error"]["chain"][0]["chainlet"] == "Worker"


def test_json_and_msgpack_agree(arrays: PushedChain) -> None:
    """The same data in either format gives the same data; `accept` chooses the format of the answer."""
    with arrays.asked({"data": SMALL}) as answer:
        assert answer.headers["content-type"] == "application/json"
        as_json = json.load(answer)
    assert as_json["total"] == 36.0
    assert (as_json["other_field"], as_json["raw"]) == ("EXAMPLE", "Y2Jh")
    binary = example_call()(
        arrays.url, {"some_numbers": np.array([1.0, 2.0, 3.0]), "other_field": "example", "raw": b"abc"}
    )
    assert binary["some_numbers"].tolist() == [11.0, 12.0, 13.0]
    assert (binary["total"], binary["raw"]) == (36.0, b"cba")
    with arrays.asked({"data": SMALL}, {**JSON, "accept": "application/msgpack"}) as answer:
        assert answer.headers["content-type"] == "application/msgpack"
        assert msgpack.unpackb(answer.read())["total"] == 36.0


def test_large_arrays_go_through_shared_memory(arrays: PushedChain) -> None:
    """Segments are where only the services of the chain can open them, and the answer is right."""
    sent = np.random.default_rng(1).integers(0, 1000, (1024, 512))
    raw = bytes(range(256)) * 8192
    for _ in range(3):
        result = example_call()(arrays.url, {"some_numbers": sent, "raw": raw})
        np.testing.assert_array_equal(result["some_numbers"], sent + 10)
        assert result["raw"] == raw[::-1]
    sizes, mode = shared_files(arrays)
    assert any(size > sent.nbytes for size in sizes)
    assert mode == "700"


def shared_files(chain: PushedChain) -> tuple[list[int], str]:
    """Return the sizes of the segments of a chain, and the mode of the directory they are in."""
    if chain.target == "local":
        root = Path(chain.chainctl.environ["XDG_STATE_HOME"]) / "chainctl" / "run"
        place = LocalPaths.of(root, xdg_runtime_dir=None, uid=os.getuid()).run(chain.name).shared
        assert place is not None
        return [path.stat().st_size for path in place.iterdir()], oct(place.stat().st_mode & 0o777)[2:]
    service = service_of(chain, "Worker")
    listed = docker("exec", service, "sh", "-c", f"stat -c %s {PLACE}/*; stat -c %a {PLACE}").split()
    return [int(size) for size in listed[:-1]], listed[-1]


def service_of(chain: PushedChain, chainlet: str) -> str:
    shown = chain.chainctl("ps", chain.name, "--target", chain.target, "--json").stdout
    services = json.loads(shown)["chains"][0]["services"]
    return next(str(s["name"]) for s in services if s["chainlet"] == chainlet)


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.docker
def test_without_the_volume_arrays_go_through_the_socket(tmp_path: Path) -> None:
    """Somebody else's volume has the name: it is left alone, that is said, and answers are the same."""
    name = "t-arrays-alone"
    with Engine.connect(EngineAddress.resolve(os.environ, Path("/nowhere"))).client() as client:
        client.create_volume(shared_volume(name))
        try:
            with pushing(tmp_path, "docker") as push:
                chain = push((EXAMPLE / "chain.py").read_text(encoding="utf-8"), name)
                sent = np.ones((1024, 512))
                result = example_call()(chain.url, {"some_numbers": sent, "raw": bytes(2 << 20)})
                np.testing.assert_array_equal(result["some_numbers"], sent + 10)
                with pytest.raises(subprocess.CalledProcessError):
                    docker("exec", service_of(chain, "Worker"), "ls", PLACE)
        finally:
            client.remove_volume(shared_volume(name), force=True)


@pytest.mark.parametrize("fidelity", ["inline", "codec", "process"])
def test_run_local_gives_the_same(fidelity: str, chainctl: Chainctl) -> None:
    """In one process or in many."""
    done = chainctl(
        "run-local", str(EXAMPLE / "chain.py"), "--fidelity", fidelity, "--json",
        "--input", json.dumps({"data": SMALL}),
    )  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["some_numbers"]["data_b64"] == "AAAAAAAAJkAAAAAAAAAoQAAAAAAAACpA"
    assert (answer["total"], answer["raw"]) == (36.0, "Y2Jh")
