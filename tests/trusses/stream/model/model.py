"""A model that streams when it is asked to."""


class Model:
    def predict(self, inputs):
        if inputs.get("stream"):
            return (f"{word} " for word in inputs["text"].split())
        return {"text": inputs["text"]}
