# expect: CH0507 line 10
import chainctl as chains


class Base(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1


Base.remote_config.options.env_variables["DEBUG"] = "1"
