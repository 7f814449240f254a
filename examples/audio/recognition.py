"""The PCM of one utterance in; its words, as PocketSphinx with its own English model hears them, out."""

import functools
import multiprocessing
import typing
from concurrent.futures import ProcessPoolExecutor

import pcm

if typing.TYPE_CHECKING:
    from pocketsphinx import Decoder


@functools.cache
def processes(count: int) -> ProcessPoolExecutor:
    """Return the processes to run `recognise` in, at least one of them with its decoder loaded.

    A decoder keeps the interpreter to itself while it works: in a thread it would keep its service
    from answering anything else. The pool is made once and lives as long as the interpreter.
    Raises ModuleNotFoundError where PocketSphinx is not installed.
    """
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
    pool.submit(_load).result()
    return pool


def recognise(speech: bytes) -> str:
    """Return the words of 16 kHz mono 16-bit PCM, "" when there are none."""
    if len(speech) < pcm.SAMPLE_BYTES:
        return ""
    decoder = _decoder()
    decoder.start_utt()
    # All of it at once: then it is normalised by its own mean, not by that of earlier utterances.
    decoder.process_raw(speech, full_utt=True)
    decoder.end_utt()
    best = decoder.hyp()
    return best.hypstr if best else ""


def _load() -> None:
    _decoder()


@functools.cache
def _decoder() -> "Decoder":
    """The decoder of this process; it takes one utterance at a time."""
    from pocketsphinx import Decoder

    return Decoder(samprate=pcm.RATE, loglevel="FATAL")
