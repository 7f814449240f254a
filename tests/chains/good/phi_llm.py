import pydantic

import chainctl as chains

PHI_HF_MODEL = "microsoft/Phi-3-mini-4k-instruct"


class Messages(pydantic.BaseModel):
    messages: list[dict[str, str]]


class PhiLLM(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["torch==2.3.0", "transformers"]),
        compute=chains.Compute(gpu="H100"),
        assets=chains.Assets(secret_keys=["hf_access_token"]),
    )

    def __init__(self) -> None:
        import torch
        import transformers

        self._model = transformers.AutoModelForCausalLM.from_pretrained(
            PHI_HF_MODEL,
            torch_dtype=torch.float16,
            device_map="auto",
        )
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(
            PHI_HF_MODEL,
        )
        self._generate_args = {"max_new_tokens": 100}

    def run_remote(self, messages: Messages) -> str:
        import torch

        model_inputs = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        inputs = self._tokenizer(model_inputs, return_tensors="pt")
        input_ids = inputs["input_ids"].to("cuda")
        with torch.no_grad():
            outputs = self._model.generate(input_ids=input_ids, **self._generate_args)
            output_text = self._tokenizer.decode(outputs[0], skip_special_tokens=True)
        return output_text
