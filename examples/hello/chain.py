"""Says hello to everybody: an entrypoint that calls another chainlet once for each name."""

import asyncio

import chainctl as chains


class SayHello(chains.ChainletBase):
    """Greets one person."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))

    async def run_remote(self, name: str) -> str:
        return f"Hello, {name}"


@chains.mark_entrypoint("hello")
class HelloAll(chains.ChainletBase):
    """Greets all people at once, one line each."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))

    def __init__(self, say_hello: SayHello = chains.depends(SayHello)) -> None:
        self._say_hello = say_hello

    async def run_remote(self, names: list[str]) -> str:
        greetings = await asyncio.gather(*(self._say_hello.run_remote(name) for name in names))
        return "\n".join(greetings)
