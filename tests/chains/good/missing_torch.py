import torch
import torch.nn.functional as F
import transformers
from torch import nn
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModel, AutoTokenizer, pipeline

import chainctl as chains

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
DTYPE = torch.float16
ZERO = torch.zeros(3, dtype=torch.float32, device=DEVICE)
SCALED = (ZERO * 2 + 1) / 3 - ZERO @ ZERO
LARGE = torch.finfo(torch.float32).max
VERSION = tuple(int(part) for part in torch.__version__.split("+")[0].split("."))
if VERSION >= (2, 0) and LARGE > 1:
    torch.set_float32_matmul_precision("high")
torch.backends.cuda.matmul.allow_tf32 = True
SIZES = {torch.float16: 2, torch.float32: 4}
MODELS = [AutoModel, AutoTokenizer]


class Net(nn.Module):
    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.layer = nn.Linear(size, size)

    @torch.no_grad()
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.layer(x))

    @torch.inference_mode
    def predict(self, x: "torch.Tensor") -> "torch.Tensor | None":
        return x


class Texts(Dataset[str]):
    def __len__(self) -> int:
        return 0


NET = Net(3)
LOADER = DataLoader(Texts(), batch_size=2)
with torch.inference_mode():
    WARM = NET(ZERO)


@torch.jit.script
def activation(x: torch.Tensor) -> torch.Tensor:
    return x


@torch.compile(mode="reduce-overhead")
def compiled(x):
    return x


class Phi(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["torch==2.3.0", "transformers"]),
        compute=chains.Compute(gpu="H100"),
    )

    def __init__(self) -> None:
        self._pipe = pipeline("text-generation", torch_dtype=DTYPE)

    def run_remote(self, prompt: str) -> str:
        import accelerate

        with torch.no_grad(), accelerate.Accelerator():
            return str(self._pipe(prompt))
