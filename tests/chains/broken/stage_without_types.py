# expect: CH0404 line 7
# expect: CH0405 line 13
import chainctl as chains


class A(chains.ChainletBase):
    def preprocess(self, text):
        return text

    def run_remote(self, text):
        return text

    def postprocess(self, text):
        return text
