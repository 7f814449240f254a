"""A WAV file in (`speech.wav` beside this script, or the one named); the JSON request to the chain out."""

import base64
import json
import sys
from pathlib import Path


def request(wav: Path) -> dict[str, object]:
    """Return the arguments of `Transcribe.run_remote` for a WAV file."""
    return {"audio": {"wav_b64": base64.b64encode(wav.read_bytes()).decode("ascii")}}


if __name__ == "__main__":
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("speech.wav")
    json.dump(request(path), sys.stdout)
