# expect: CH0510 line 6 warning
import chainctl as chains


class A(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        compute=chains.Compute(instance_type="A10G:8x32"),
        options=chains.ChainletOptions(enable_b10_tracing=True),
    )

    def run_remote(self) -> int:
        return 1
