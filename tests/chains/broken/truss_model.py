# expect: CH1202 line 5
import truss_chains as chains


class Model(chains.ModelBase):
    def predict(self, number: int) -> int:
        return 2 * number
