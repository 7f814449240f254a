import transformers

COUNT = len(transformers.MODELS)
