# expect: CH0503 line 5
import chainctl as chains


VALUE = chains.DockerImage(pip_requirements="torch")


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return 1
