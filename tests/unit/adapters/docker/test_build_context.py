"""A Dockerfile for the classic builder is the planned one without caches."""

from __future__ import annotations

import pytest

from chainctl.adapters.docker.build_context import sent_context, without_cache_mounts
from chainctl.build.context import BuildContext, ContextFile

CACHE = "--mount=type=cache,id=x,target=/mnt"


@pytest.mark.parametrize(
    ("planned", "sent"),
    [
        (f"RUN {CACHE} make\n", "RUN make && rm -rf /mnt/*\n"),
        (f"RUN {CACHE},sharing=locked make", "RUN make && rm -rf /mnt/*"),
        (f"RUN --network=none {CACHE} make\n", "RUN --network=none make && rm -rf /mnt/*\n"),
        (f"RUN {CACHE} --mount=type=cache,dst=/b a\n", "RUN a && rm -rf /mnt/* && rm -rf /b/*\n"),
        (f'RUN {CACHE} ["make"]\n', 'RUN ["make"]\n'),
        (f"RUN {CACHE} make \\\n  all\n", "RUN make \\\n  all\n"),
        (f"RUN echo {CACHE} \n", f"RUN echo {CACHE} \n"),
        ("RUN make\nCOPY a b\n", "RUN make\nCOPY a b\n"),
        ("RUN --mount=type=secret,id=x make\n", "RUN --mount=type=secret,id=x make\n"),
    ],
)
def test_cache_mounts_are_taken_out(planned: str, sent: str) -> None:
    """What a step would leave in one is removed by the step; nothing else changes."""
    assert without_cache_mounts(planned) == sent


def test_only_the_classic_builder_gets_another_context() -> None:
    """Its Dockerfile differs; all other files, and the planned context, do not."""
    files = [ContextFile.of_text("Dockerfile", f"FROM a\nRUN {CACHE} b\n"), ContextFile.of_text("x", "y")]
    context = BuildContext.of(files)
    assert sent_context(context, is_buildkit=True) is context
    sent = sent_context(context, is_buildkit=False)
    assert sent.text_of("Dockerfile") == "FROM a\nRUN b && rm -rf /mnt/*\n"
    assert sent.text_of("x") == "y"
    assert len(sent.files) == 2
