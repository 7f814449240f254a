# expect: CH0401 line 11
import chainctl as chains


class Base(chains.ChainletBase):
    def load(self) -> None:
        pass


@chains.mark_entrypoint
class A(Base):
    pass
