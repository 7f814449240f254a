# expect: CH0507 line 15
import chainctl as chains


class Base(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1))

    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class Larger(Base):
    remote_config = Base.remote_config
    remote_config.compute.cpu_count = 16
