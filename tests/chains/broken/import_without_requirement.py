# expect: CH0601 line 2
import torch

import chainctl as chains


class A(chains.ChainletBase):
    def run_remote(self) -> int:
        return int(torch.cuda.device_count())
