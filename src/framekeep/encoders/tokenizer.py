"""CLIP's byte-pair tokenizer, with the ids of OpenAI's original for any text.

Cleaning and splitting use the very libraries of the original, ftfy and regex: the splitting
rules lean on Unicode's tables, and the regular expressions inside `tokenizers` know an older
Unicode (17,000 letters fewer), so they would give other ids for rare scripts. The merges run in
`tokenizers`.
"""

from __future__ import annotations

import gzip
import html
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTEXT = 77
START_TEXT, END_TEXT = "<|startoftext|>", "<|endoftext|>"
VOCABULARY = 49408
START_ID, END_ID = VOCABULARY - 2, VOCABULARY - 1
_MERGES = VOCABULARY - 2 - 2 * 256

_WORD = (
    r"<\|startoftext\|>|<\|endoftext\|>"
    r"|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """`ids` with start and end token, at most the context long; `cut` where the end was lost."""

    ids: tuple[int, ...]
    cut: bool


def tokenize(text: str, context: int = CONTEXT) -> Tokens:
    """Turn a text into token ids; one that is too long is cut, and keeps its end token."""
    words = _split(_clean(text))
    ids = [START_ID]
    plain: list[str] = []
    for word in words:
        # The original takes its two special tokens from plain text too, whoever wrote them.
        if word in (START_TEXT, END_TEXT):
            ids += _merge(plain)
            ids.append(START_ID if word == START_TEXT else END_ID)
            plain = []
        else:
            plain.append(word)
    ids += _merge(plain)
    ids.append(END_ID)
    if len(ids) <= context:
        return Tokens(tuple(ids), cut=False)
    return Tokens((*ids[: context - 1], END_ID), cut=True)


def batch_ids(texts: Sequence[str], context: int = CONTEXT) -> NDArray[np.int64]:
    """Token ids of several texts, (N, L) int64; L is the longest row's, the rest is 0."""
    rows = [tokenize(text, context).ids for text in texts]
    ids = np.zeros((len(rows), max(map(len, rows), default=2)), np.int64)
    for row, tokens in zip(ids, rows, strict=True):
        row[: len(tokens)] = tokens
    return ids


def cut_texts(texts: Sequence[str], context: int = CONTEXT) -> list[str]:
    """Those of `texts` whose end is not read because they are too long."""
    return [text for text in texts if tokenize(text, context).cut]


def _clean(text: str) -> str:
    """Mend broken encodings, undo HTML escapes (twice, as pages often do), join white space."""
    import ftfy
    import regex

    text = html.unescape(html.unescape(ftfy.fix_text(text))).strip()
    return str(regex.sub(r"\s+", " ", text)).strip().lower()


def _split(text: str) -> list[str]:
    import regex

    return [str(word) for word in regex.findall(_WORD, text, regex.IGNORECASE)]


def _merge(words: list[str]) -> list[int]:
    """Byte-pair ids of words, joined."""
    if not words:
        return []
    letters = _byte_letters()
    spelt = ["".join(letters[byte] for byte in word.encode("utf-8")) for word in words]
    encoded = _byte_pairs().encode(spelt, is_pretokenized=True, add_special_tokens=False)
    return [int(number) for number in encoded.ids]


@lru_cache(maxsize=1)
def _byte_letters() -> tuple[str, ...]:
    """For each byte a visible letter of its own, as in the merges file (and in GPT-2).

    Bytes that are visible Latin-1 characters stand for themselves; the others take the code
    points from 256 on, in order.
    """
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in visible]
    letters = {byte: chr(byte) for byte in visible}
    letters |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    return tuple(letters[byte] for byte in range(256))


@lru_cache(maxsize=1)
def _byte_pairs() -> Tokenizer:
    from tokenizers import Tokenizer, models

    packed = files("framekeep").joinpath("data/clip/bpe_simple_vocab_16e6.txt.gz").read_bytes()
    lines = gzip.decompress(packed).decode("utf-8").split("\n")[1 : 1 + _MERGES]
    merges = [(line.split()[0], line.split()[1]) for line in lines]
    # The ids follow the original's order: visible bytes first, then the others.
    letters = sorted(_byte_letters(), key=ord)
    words = [*letters, *(letter + "</w>" for letter in letters)]
    words += [left + right for left, right in merges]
    vocabulary = {word: number for number, word in enumerate(words)}
    return Tokenizer(models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
