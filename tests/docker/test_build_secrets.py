"""Secrets, logins and proxies of builds on a real engine: they work, and nothing of them is left anywhere."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chainctl.adapters.docker.build_secrets import LARGEST
from chainctl.adapters.docker.builder import DockerBuildBackend
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.engine_address import EngineAddress, docker_config_dir
from chainctl.adapters.docker.session_login import RegistryLogins
from chainctl.build.base import Base
from chainctl.build.context import BuildContext, ContextFile, ImageRef
from chainctl.build.installation import locked_files
from chainctl.build.lock import Environment, LockedPackage
from chainctl.build.plan import ImagePlan
from chainctl.build.proxies import proxy_arguments
from chainctl.build.snapshot import SourceSnapshot
from chainctl.errors import BuildError, EngineError, UsageError
from chainctl.events import BuildLogged, BuildStepEnded, BuildStepped, Event
from chainctl.templates import render
from tests.docker.private_servers import anything, digest_of, index_of, registry_of, serving
from tests.unit.adapters.docker.session_engine import certificate_in

pytestmark = pytest.mark.docker
BASE = "python:3.11-slim"
BUILDERS = pytest.mark.parametrize("use_buildkit", [True, False], ids=["buildkit", "classic"])


@pytest.fixture(scope="module")
def engine() -> Engine:
    """The engine that the environment names."""
    config = docker_config_dir(os.environ, Path.home())
    return Engine.connect(EngineAddress.resolve(os.environ, config))


@dataclass
class Bench:
    """Builds images with a mark and a secret word that must not be found in anything."""

    engine: Engine
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    word: str = field(default_factory=lambda: f"w0rd{uuid.uuid4().hex}")
    events: list[Event] = field(default_factory=list)

    def plan(
        self, *instructions: str, secrets: tuple[str, ...] = (), tag: str = "1", **files: str
    ) -> ImagePlan:
        head = (f"FROM {BASE}", f"LABEL chainctl.test={self.mark}", f"ENV MARK={self.mark}")
        texts = {"Dockerfile": "\n".join([*head, *instructions, ""]), "requirements/all.txt": "", **files}
        context = BuildContext.of([ContextFile.of_text(path, text) for path, text in texts.items()])
        return ImagePlan("Hello", ImageRef(f"chainctl-test/{self.mark}", tag), context, BASE, secrets=secrets)

    def backend(self, values: Mapping[str, bytes], **given: object) -> DockerBuildBackend:
        every = {"network": "host", "secrets": values.__getitem__, **given}
        return DockerBuildBackend(self.engine, **every)  # type: ignore[arg-type]

    def build(self, image: ImagePlan, values: Mapping[str, bytes], **given: object) -> list[str]:
        """Build, and return the lines that instructions wrote."""
        self.events.clear()
        self.backend(values, **given).build(image, self.events.append)
        return [event.line for event in self.events if isinstance(event, BuildLogged)]

    def leaks(self, image: ImagePlan, *words: str) -> list[str]:
        """Where the words are found: the image with all its layers, its history, its description, events."""
        with self.engine.client() as client:
            saved = b"".join(client.get_image(str(image.ref)))
            history = json.dumps(client.history(str(image.ref)))  # type: ignore[no-untyped-call]
            described = json.dumps(client.inspect_image(str(image.ref)))  # type: ignore[no-untyped-call]
        places = {"history": history, "description": described, "events": repr(self.events)}
        found = [place for place, text in places.items() for word in words if word in text]
        contents = list(_contents(saved))
        assert len(contents) > 1
        return found + [name for name, data in contents for word in words if word.encode() in data]

    def sweep(self) -> None:
        with self.engine.client() as client:
            for image in client.images(filters={"label": f"chainctl.test={self.mark}"}):
                client.remove_image(image["Id"], force=True)


def _contents(data: bytes, name: str = "image") -> Iterator[tuple[str, bytes]]:
    """Everything in an archive: its bytes, and those of all archives in it, unpacked."""
    plain = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    yield name, plain
    if plain[257:262] == b"ustar":
        with tarfile.open(fileobj=io.BytesIO(plain)) as tar:
            for entry in (entry for entry in tar if entry.isfile() and entry.name.endswith("layer.tar")):
                file = tar.extractfile(entry)
                yield from _contents(file.read() if file else b"", entry.name)


@pytest.fixture
def bench(engine: Engine) -> Iterator[Bench]:
    """A bench, swept in the end."""
    bench = Bench(engine)
    yield bench
    bench.sweep()


def mounted(*names: str) -> str:
    """An instruction's head, as the template writes it."""
    return "RUN " + "".join(f"--mount=type=secret,id={name},required=true " for name in names)


def test_a_secret_is_read_and_leaves_no_trace(bench: Bench) -> None:
    """It is a file that only root can read, while the command runs; and what prints it prints nothing."""
    image = bench.plan(
        mounted("token") + "cd /run/secrets; cat token; echo; stat -c %a:%u token",
        "RUN ls /run/secrets 2>/dev/null; true",
        secrets=("token",),
    )  # fmt: skip
    assert bench.build(image, {"token": bench.word.encode()})[:2] == ["[REDACTED]", "400:0"]
    assert bench.leaks(image, bench.word) == []


def test_a_leak_would_be_found(bench: Bench) -> None:
    """A command that writes a secret into the image is seen by the search that the other tests rely on."""
    image = bench.plan(mounted("token") + "cp /run/secrets/token /kept", secrets=("token",))
    bench.build(image, {"token": bench.word.encode()})
    assert bench.leaks(image, bench.word)


def test_several_secrets_of_any_size_and_content(bench: Bench) -> None:
    """As large as BuildKit takes them, and bytes that are no text."""
    values = {"large": os.urandom(LARGEST), "bytes": bytes(range(256))}
    names = tuple(sorted(values))
    image = bench.plan(mounted(*names) + "cd /run/secrets; wc -c bytes large", secrets=names)
    counted = [line.split() for line in bench.build(image, values)]
    assert counted[:2] == [["256", "bytes"], [str(LARGEST), "large"]]


def test_an_empty_secret_is_told(bench: Bench) -> None:
    """BuildKit would leave its file away, which nobody could explain."""
    image = bench.plan(mounted("token") + "true", secrets=("token",))
    with pytest.raises(UsageError, match="the secret `token` is empty"):
        bench.build(image, {"token": b""})


def test_a_secret_that_the_plan_does_not_declare_is_not_given(bench: Bench) -> None:
    """The step that wants it fails; no image is left."""
    image = bench.plan(mounted("other") + "true", secrets=("token",))
    with pytest.raises(BuildError, match="other"):
        bench.build(image, {"token": b"1", "other": b"2"})
    assert bench.backend({}).existing([image.ref]) == frozenset()


def test_a_failing_step_tells_no_secret(bench: Bench) -> None:
    """Its last lines are shown without."""
    image = bench.plan(mounted("token") + "cat /run/secrets/token; exit 3", secrets=("token",))
    with pytest.raises(BuildError, match="exit code 3") as caught:
        bench.build(image, {"token": bench.word.encode()})
    assert caught.value.details == ("[REDACTED]",)
    assert bench.word not in repr([caught.value.args, bench.events])


def test_a_new_value_does_not_run_a_cached_command(bench: Bench) -> None:
    """BuildKit does not ask for it then, so it is not read."""
    image = bench.plan(mounted("token") + "wc -c /run/secrets/token", secrets=("token",))
    assert bench.build(image, {"token": b"one"})
    assert bench.build(image, {}) == []


def test_builds_side_by_side_share_a_step_with_a_secret(bench: Bench) -> None:
    """It runs once, whichever session gave the secret; no session ends too early."""
    step = mounted("token") + "wc -c /run/secrets/token; cat /proc/sys/kernel/random/uuid > /once"
    images = [bench.plan(step, f"RUN echo {tag} $(cat /once)", secrets=("token",), tag=tag) for tag in "abcd"]
    backend = bench.backend({"token": b"four"})
    logs: dict[str, list[Event]] = {tag: [] for tag in "abcd"}
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda image: backend.build(image, logs[image.ref.tag].append), images))
    shown = [e.line.split() for events in logs.values() for e in events if isinstance(e, BuildLogged)]
    assert len({words[1] for words in shown if words[0] in "abcd"}) == 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("session-")]


def test_the_classic_builder_gives_no_secrets(bench: Bench) -> None:
    """It is refused before it begins."""
    image = bench.plan(mounted("token") + "true", secrets=("token",))
    with pytest.raises(BuildError, match="only BuildKit can give to a build"):
        bench.build(image, {"token": b"1"}, use_buildkit=False)


def test_a_package_of_a_private_index_is_installed(bench: Bench) -> None:
    """With netrc text from a secret, by the instruction of the template; the token is nowhere afterwards."""
    login = f"ada:{bench.word}"
    netrc = f"machine 127.0.0.1 login ada password {bench.word}\n".encode()
    with serving(index_of("tinything", bench.mark), login) as (port, asked):
        image = bench.plan(
            "COPY requirements/ /tmp/requirements/",
            template_line("pip install", index_credentials="index-login"),
            "RUN python3 -c 'import tinything; print(tinything.TEXT)'",
            secrets=("index-login",),
            **{"requirements/all.txt": f"--index-url http://127.0.0.1:{port}/simple/\ntinything==1.0\n"},
        )
        lines = bench.build(image, {"index-login": netrc})
    assert lines[-1] == bench.mark
    assert "/files/tinything-1.0-py3-none-any.whl" in asked
    assert bench.leaks(image, bench.word) == []


@BUILDERS
def test_an_authority_of_ones_own_is_trusted(bench: Bench, tmp_path: Path, use_buildkit: bool) -> None:
    """By what follows the instruction of the template, over TLS; without it the same step fails."""
    own = certificate_in(tmp_path)
    public = (tmp_path / "crt").read_text()
    fetch = (
        "RUN python3 -c \"import urllib.request as r; print(r.urlopen(r.Request('https://127.0.0.1:{}/x',"
        " headers={{'Authorization': 'Basic YTpi'}})).read().decode())\""
    )
    with serving(anything, "a:b", certificate=own) as (port, _):
        trusted = bench.plan(
            "COPY certificates/ /usr/local/share/ca-certificates/chainctl/",
            template_line("RUN mkdir -p /etc/ssl/certs", certificates=("x",)),
            template_line("ENV SSL_CERT_FILE", certificates=("x",)),
            fetch.format(port),
            **{"certificates/0-own.crt": public},  # type: ignore[arg-type]  # it is no name of an argument
        )
        assert bench.build(trusted, {}, use_buildkit=use_buildkit)[-1] == "by proxy"
        with pytest.raises(BuildError) as caught:
            bench.build(bench.plan(fetch.format(port), tag="2"), {}, use_buildkit=use_buildkit)
    assert "CERTIFICATE_VERIFY_FAILED" in "".join(caught.value.details)
    assert "ca_certificates" in caught.value.hint


def test_a_locked_package_of_a_private_index_is_installed(bench: Bench) -> None:
    """In the same way by uv, which takes what is public from the public index."""
    netrc = f"machine 127.0.0.1 login ada password {bench.word}\n".encode()
    index = index_of("tinything", bench.mark)
    with serving(index, f"ada:{bench.word}") as (port, _):
        wheel = (index("/files/tinything-1.0-py3-none-any.whl") or (0, "", b""))[2]
        package = LockedPackage("tinything", "tinything==1.0", (digest_of(wheel),))
        indexes = (f"http://127.0.0.1:{port}/simple", "https://pypi.org/simple")
        environment = Environment("", "3.11", "linux/amd64", (package,), indexes)
        files = locked_files(environment, SourceSnapshot({}, {}, {}, {}), "/")
        image = bench.plan(
            "COPY install.py requirements/ /tmp/requirements/",
            template_line("&& rm -rf /tmp/requirements", is_locked=True, index_credentials="index-login"),
            "RUN python3 -c 'import tinything; print(tinything.TEXT)'",
            secrets=("index-login",),
            **{file.path: file.content.decode() for file in files if isinstance(file.content, bytes)},
        )
        lines = bench.build(image, {"index-login": netrc})
    assert lines[-1] == bench.mark
    assert bench.leaks(image, bench.word) == []


def template_line(part: str, **values: object) -> str:
    """Return the one line of a rendered Dockerfile that has a part in it."""
    every: dict[str, object] = {
        "base": Base(BASE), "is_locked": False, "certificates": (), "apt_requirements": [], "python": "python3",
        "requirement_files": ["all.txt"], "build_commands": [], "build_secrets": [], "index_credentials": "",
        "apt_mirror": "", "uid": 1, "port": 2, "has_packages": False, "has_data": False, "env": [],
        "data_links": [], "truss_links": [], "has_code": True,
        "chain": "c", "chainlet": "Leaf",
    }  # fmt: skip
    (line,) = (line for line in render("Dockerfile.j2", every | values).split("\n") if part in line)
    return line


def test_a_wrong_login_for_an_index_is_not_told_either(bench: Bench) -> None:
    """The step fails; neither the error nor its lines hold the token."""
    netrc = f"machine 127.0.0.1 login ada password {bench.word}\n".encode()
    with serving(index_of("tinything", bench.mark), "ada:another") as (port, _):
        image = bench.plan(
            "COPY requirements/ /tmp/requirements/",
            template_line("pip install", index_credentials="index-login"),
            secrets=("index-login",),
            **{"requirements/all.txt": f"--index-url http://127.0.0.1:{port}/simple/\ntinything==1.0\n"},
        )
        with pytest.raises(BuildError) as caught:
            bench.build(image, {"index-login": netrc})
    assert bench.word not in repr([caught.value.args, caught.value.details, bench.events])


def test_an_image_of_a_private_registry_is_copied_from(bench: Bench, tmp_path: Path) -> None:
    """BuildKit asks the session for the login; it is nowhere afterwards."""
    with serving(registry_of(f"{bench.mark}/made", bench.mark), f"ada:{bench.word}") as (port, asked):
        write_login(tmp_path, port, f"ada:{bench.word}")
        image = bench.plan(f"COPY --from=127.0.0.1:{port}/{bench.mark}/made:1 /made /made", "RUN cat /made")
        lines = bench.build(image, {}, logins=RegistryLogins(tmp_path))
        with pytest.raises(BuildError):
            bench.build(bench.plan(f"COPY --from=127.0.0.1:{port}/{bench.mark}/made:1 /made /x", tag="2"), {})
    assert lines == [bench.mark]
    assert any("/blobs/" in path for path in asked)
    assert bench.leaks(image, bench.word) == []


@BUILDERS
def test_a_base_of_a_private_registry_is_pulled(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use_buildkit: bool
) -> None:
    """With the login of Docker's configuration, for either builder."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with serving(registry_of(f"{bench.mark}/base", bench.mark), f"ada:{bench.word}") as (port, _):
        base = f"127.0.0.1:{port}/{bench.mark}/base:1"
        text = f"FROM {base}\nLABEL chainctl.test={bench.mark}\nCOPY Dockerfile /Dockerfile\n"
        context = BuildContext.of([ContextFile.of_text("Dockerfile", text)])
        image = ImagePlan("Hello", ImageRef(f"chainctl-test/{bench.mark}", "1"), context, base)
        write_login(tmp_path, port, "ada:wrong")
        with pytest.raises(BuildError, match="no registry gives it"):
            bench.build(image, {}, use_buildkit=use_buildkit)
        write_login(tmp_path, port, f"ada:{bench.word}")
        try:
            bench.build(image, {}, use_buildkit=use_buildkit)
        finally:
            with bench.engine.client() as client:
                for tag in [base] if client.images(name=base) else []:
                    client.remove_image(tag, force=True)
    assert bench.leaks(image, bench.word) == []


def write_login(directory: Path, port: int, login: str) -> None:
    import base64

    auth = base64.b64encode(login.encode()).decode()
    (directory / "config.json").write_text(json.dumps({"auths": {f"127.0.0.1:{port}": {"auth": auth}}}))


def test_a_credential_helper_that_fails_ends_the_pull(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is named as the reason."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    (tmp_path / "docker-credential-broken").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "docker-credential-broken").chmod(0o755)
    (tmp_path / "config.json").write_text('{"credsStore": "broken"}')
    context = BuildContext.of([ContextFile.of_text("Dockerfile", "FROM 127.0.0.1:9/none:1\n")])
    image = ImagePlan("Hello", ImageRef(f"chainctl-test/{bench.mark}", "1"), context, "127.0.0.1:9/none:1")
    with pytest.raises(EngineError, match="credential helper"):
        bench.build(image, {})


FETCH = (
    "RUN python3 -c \"import urllib.request as r; print(r.urlopen('http://nowhere.invalid/x').read().decode());"
    " import os; print(os.environ['HTTPS_PROXY'], os.environ['no_proxy'])\""
)


@BUILDERS
def test_a_proxy_is_used_and_its_password_leaves_no_trace(bench: Bench, use_buildkit: bool) -> None:
    """For a host that only a proxy can know; what prints the variable prints no password."""
    with serving(anything, f"ada:{bench.word}", header="Proxy-Authorization") as (port, asked):
        proxy = f"http://ada:{bench.word}@127.0.0.1:{port}"
        image = bench.plan(FETCH)
        proxies = proxy_arguments(http=proxy, https=proxy, no="localhost")
        lines = bench.build(image, {}, proxies=proxies, use_buildkit=use_buildkit)
    assert lines == ["by proxy", f"http://ada:[REDACTED]@127.0.0.1:{port} localhost"]
    assert asked == ["http://nowhere.invalid/x"]
    assert bench.leaks(image, bench.word) == []
    assert bench.leaks(image, f"127.0.0.1:{port}") == ["events"]  # in the line above


@BUILDERS
def test_a_mirror_takes_the_place_of_debians(bench: Bench, use_buildkit: bool) -> None:
    """In every list of sources, of either form."""
    image = bench.plan(
        "RUN cd /etc/apt && mkdir -p sources.list.d"
        " && echo 'deb http://deb.debian.org/debian bookworm main' > sources.list"
        " && printf 'URIs: https://security.debian.org/debian-security\\n' > sources.list.d/x.sources",
        template_line("/etc/apt", apt_mirror="http://127.0.0.1:9/m"),
        "RUN cat /etc/apt/sources.list /etc/apt/sources.list.d/x.sources",
    )
    lines = bench.build(image, {}, use_buildkit=use_buildkit)
    assert lines == [
        "deb http://127.0.0.1:9/m/debian bookworm main",
        "URIs: http://127.0.0.1:9/m/debian-security",
    ]


def test_steps_tell_how_long_they_took(bench: Bench) -> None:
    """As BuildKit measured it; a second build has them cached."""
    image = bench.plan("RUN python3 -c 'import time; time.sleep(0.3)'")
    bench.build(image, {})
    (ended,) = (e for e in bench.events if isinstance(e, BuildStepEnded) and "RUN" in e.step)
    (began,) = (e for e in bench.events if isinstance(e, BuildStepped) and "RUN" in e.step)
    assert ended.step == began.step
    assert 0.3 <= ended.seconds < 30
    bench.build(image, {})
    (again,) = (e for e in bench.events if isinstance(e, BuildStepEnded) and "RUN" in e.step)
    assert again.cached
