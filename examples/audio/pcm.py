"""A WAV file in; its samples, as 16 kHz mono 16-bit PCM, out. Nothing is resampled."""

import array
import base64
import binascii
import io
import sys
import wave

RATE = 16_000
SAMPLE_BYTES = 2


def from_base64_wav(text: str) -> bytes:
    """Decode a base64 WAV into its PCM bytes. Raises ValueError saying what is wrong with it."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"this is no base64: {error}") from None
    return from_wav(data)


def from_wav(data: bytes) -> bytes:
    """Read the PCM bytes of a WAV file. Raises ValueError when it is not 16 kHz mono 16-bit PCM."""
    try:
        with wave.open(io.BytesIO(data)) as wav:
            found = (wav.getframerate(), wav.getnchannels(), 8 * wav.getsampwidth())
            frames = wav.readframes(wav.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"this is no WAV file of PCM samples: {str(error) or 'it is cut short'}") from None
    if found != (RATE, 1, 8 * SAMPLE_BYTES):
        rate, channels, bits = found
        raise ValueError(
            f"the WAV file has {rate} Hz, {channels} channel(s), {bits} bits: send 16000 Hz, 1 channel, 16 bits"
        )
    return bytes(frames)


def samples(pcm: bytes) -> "array.array[int]":
    """Return the samples, each from -32768 to 32767."""
    values = array.array("h", pcm)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def cut(pcm: bytes, start: float, end: float) -> bytes:
    """Return the part between two times in seconds."""
    return pcm[SAMPLE_BYTES * round(start * RATE) : SAMPLE_BYTES * round(end * RATE)]
