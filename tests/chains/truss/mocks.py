"""A run in this process in which an object stands for a dependency, an engine that only a platform builds."""

import asyncio
from typing import AsyncIterator

import truss_chains as chains


class Engine(chains.EngineBuilderLLMChainlet):
    remote_config = chains.RemoteConfig(compute=chains.Compute(gpu="H100"))


class FakeEngine:
    async def run_remote(self, llm_input: chains.EngineBuilderLLMInput) -> AsyncIterator[str]:
        for message in llm_input.messages or []:
            yield message["content"]


@chains.mark_entrypoint
class Control(chains.ChainletBase):
    def __init__(
        self, engine=chains.depends(Engine), context: chains.DeploymentContext = chains.depends_context()
    ) -> None:
        self._engine = engine
        self._word = context.secrets["word"] if "word" in context.secrets else "none"

    async def run_remote(self, prompt: str) -> str:
        asked = chains.EngineBuilderLLMInput(messages=[{"role": "user", "content": prompt}])
        return "".join([piece async for piece in self._engine.run_remote(asked)]) + self._word


if __name__ == "__main__":
    try:
        Control(engine=FakeEngine())
    except Exception as error:
        print(type(error).__name__)
    with chains.run_local(secrets={"word": "undeclared"}):
        print(asyncio.run(Control(engine=FakeEngine()).run_remote("asked ")))
