"""The table of projects that `chainctl init` can write, each as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_COMMON = {
    ".chainctlignore": "init/common/chainctlignore.j2",
    ".github/workflows/chain.yml": "init/common/chain.yml.j2",
    "pyproject.toml": "init/common/pyproject.toml.j2",
}


@dataclass(frozen=True, slots=True)
class ProjectTemplate:
    """One kind of project. `first_try` is a command in which `{file}` stands for the chain file.

    `extra` maps more files of the project to their templates, `secrets` are those it declares.
    """

    name: str
    summary: str
    first_try: str
    secrets: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def sources(self) -> dict[str, str]:
        """Every file of the project, sorted, with the template that it is rendered from."""
        own = {
            "README.md": f"init/{self.name}/README.md.j2",
            "chain.py": f"init/{self.name}/chain.py.j2",
            "tests/test_chain.py": f"init/{self.name}/test_chain.py.j2",
        }
        return dict(sorted({**_COMMON, **own, **self.extra}.items()))


_HELLO = ProjectTemplate(
    "hello",
    "two chainlets: an entrypoint that calls another one in parallel",
    first_try="""chainctl run-local {file} --input '{{"names": ["Ada", "Grace"]}}'""",
)
_PIPELINE = ProjectTemplate(
    "pipeline",
    "three chainlets with pydantic models, a fan-out, a secret and a data directory",
    first_try="CHAINCTL_SECRET_pseudonym_key='only to try' chainctl run-local {file} --input "
    """'{{"messages": [{{"sender": "Ada", "text": "The site is down"}}]}}'""",
    secrets=("pseudonym_key",),
    extra={"data/weights.json": "init/pipeline/data/weights.json.j2"},
)
_STUB = ProjectTemplate(
    "stub",
    "two chainlets that use a service outside the chain, with a typed client and a key",
    first_try="chainctl check {file}",
    secrets=("classifier_api_key",),
)
TEMPLATES: Mapping[str, ProjectTemplate] = {t.name: t for t in (_HELLO, _PIPELINE, _STUB)}
