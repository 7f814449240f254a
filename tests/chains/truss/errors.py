"""Errors of a dependency: known classes by their names, all others by the one that stands for them."""

import truss_chains as chains


class Unknown(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


class Failing(chains.ChainletBase):
    async def run_remote(self, how: str) -> str:
        if how == "value":
            raise ValueError("no value")
        if how == "unknown":
            raise Unknown(1, 2)
        return how


@chains.mark_entrypoint
class Catching(chains.ChainletBase):
    def __init__(self, failing=chains.depends(Failing)) -> None:
        self._failing = failing

    async def run_remote(self, how: str) -> str:
        try:
            return await self._failing.run_remote(how)
        except ValueError as error:
            return f"ValueError {'no value' in str(error)}"
        except chains.GenericRemoteException as error:
            return f"GenericRemoteException {'1 and 2' in str(error)}"
