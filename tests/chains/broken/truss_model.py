# expect: CH0404 line 6
import truss_chains as chains


class Model(chains.ModelBase):
    def predict(self, number) -> int:
        return 2 * number
