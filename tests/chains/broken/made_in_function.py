# expect: CH0211 line 7
import chainctl as chains


def made() -> type:
    """A chainlet that no module has."""
    class Lost(chains.ChainletBase):
        def run_remote(self, text: str) -> str:
            return text

    return Lost


Found = made()
