# expect: CH0104 line 11
import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


def main() -> None:
    raise SystemExit("done")


main()
