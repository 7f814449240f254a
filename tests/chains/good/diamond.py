from typing import Protocol

import chainctl as chains


class Counts(Protocol):
    def run_remote(self, text: str) -> int: ...


class Words(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=2, memory="512Mi"))

    def run_remote(self, text: str) -> int:
        return len(text.split())


class Left(chains.ChainletBase):
    def __init__(self, words: Counts = chains.depends(Words)) -> None:
        self._words = words

    def run_remote(self, text: str) -> int:
        return self._words.run_remote(text)


class Right(chains.ChainletBase):
    def __init__(self, words: Words = chains.depends(Words, retries=2)) -> None:
        self._words = words

    def run_remote(self, text: str) -> int:
        return -self._words.run_remote(text)


@chains.mark_entrypoint("Diamond")
class Main(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        assets=chains.Assets(secret_keys=["token"]),
        options=chains.ChainletOptions(env_variables={"LEVEL": "3"}),
        build_commands=["echo built"],
    )

    def __init__(
        self,
        left: chains.ChainletBase = chains.depends(Left),
        right=chains.depends(Right),
        context=chains.depends_context(),
    ) -> None:
        self._left, self._right = left, right

    def run_remote(self, text: str, times: int = 1) -> dict[str, int]:
        """Count the words of a text on two ways."""
        return {"left": self._left.run_remote(text), "right": self._right.run_remote(text)}

    def is_healthy(self) -> bool:
        return True
