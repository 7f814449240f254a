"""Two chainlets, calls side by side, and a run in the file's own `__main__` block."""

import asyncio
import sys

import truss_chains as chains


class SayHello(chains.ChainletBase):
    async def run_remote(self, name: str) -> str:
        return f"Hello, {name}"


@chains.mark_entrypoint("truss-hello")
class HelloAll(chains.ChainletBase):
    def __init__(self, say_hello: SayHello = chains.depends(SayHello, retries=1)) -> None:
        self._say_hello = say_hello

    async def run_remote(self, names: list[str]) -> str:
        tasks = [asyncio.ensure_future(self._say_hello.run_remote(name)) for name in names]
        return "\n".join(await asyncio.gather(*tasks))


if __name__ == "__main__":
    with chains.run_local():
        print(asyncio.run(HelloAll().run_remote(sys.argv[1:])))
    sys.exit(len(sys.argv) - 1)
