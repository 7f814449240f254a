# expect: CH0912 line 4
import chainctl as chains

weights = chains.Download(
    "weights", url="https://example.com/phi.bin", sha256="latest", dest="models/phi.bin"
)


class Hello(chains.ChainletBase):
    def run_remote(self, name: str) -> str:
        return f"Hello, {name}"
