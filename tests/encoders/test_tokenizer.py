"""The tokenizer gives the ids of OpenAI's original."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from transformers import CLIPTokenizer

from framekeep.encoders import tokenizer
from framekeep.encoders.tokenizer import (
    END_ID,
    START_ID,
    VOCABULARY,
    batch_ids,
    cut_texts,
    tokenize,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "clip_tokens.json"
# Made once with the original (openai/CLIP, simple_tokenizer.py), regex 2026.11.15, ftfy 6.3.1:
# scripts, broken encodings, HTML escapes, special tokens, emoji, and random code points.
CASES = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def reference() -> CLIPTokenizer:
    """transformers' tokenizer with the same vocabulary; it cleans text in another way."""
    byte_pairs = tokenizer._byte_pairs()
    vocab = byte_pairs.get_vocab()
    vocab |= {"<|startoftext|>": START_ID, "<|endoftext|>": END_ID}
    merges = [tuple(pair) for pair in json.loads(byte_pairs.to_str())["model"]["merges"]]
    return CLIPTokenizer(vocab=vocab, merges=merges)


@pytest.mark.parametrize("case", CASES, ids=[ascii(case["text"][:20]) for case in CASES])
def test_ids_of_the_original(case: dict[str, object]) -> None:
    tokens = tokenize(str(case["text"]))
    assert list(tokens.ids) == case["ids"]
    assert tokens.cut is case["cut"]


def old_letters() -> st.SearchStrategy[str]:
    """Characters that every Unicode table since 3.2 knows: transformers' tables are older."""
    known = st.characters(exclude_categories=("Cs", "Cn", "Co")).filter(
        lambda char: unicodedata.ucd_3_2_0.category(char) != "Cn"
    )
    words = st.sampled_from(["cat", "photo", "don't", "1990", "naïve", "...", "猫", " "])
    return st.lists(known | words, max_size=20).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=old_letters())
def test_same_ids_as_transformers_for_cleaned_text(text: str, reference: CLIPTokenizer) -> None:
    clean = tokenizer._clean(text)
    # Where transformers goes another way than the original: it composes characters, and does
    # not take the old long s for an s. The golden cases cover these.
    assume(clean == tokenizer._clean(clean))
    assume(clean == unicodedata.normalize("NFC", clean))
    assume("\u017f" not in clean)
    ids = reference(clean, truncation=True, max_length=77)["input_ids"]
    assert list(tokenize(text).ids) == ids


@settings(max_examples=300, deadline=None)
@given(text=st.text(), context=st.integers(2, 77))
def test_any_text_gives_ids_that_fit(text: str, context: int) -> None:
    whole = tokenize(text, context=10_000)
    tokens = tokenize(text, context)
    assert not whole.cut
    assert tokens.cut is (len(whole.ids) > context)
    assert tokens.ids[0] == START_ID
    assert tokens.ids[-1] == END_ID
    assert tokens.ids[:-1] == whole.ids[: len(tokens.ids) - 1]
    assert len(tokens.ids) == min(context, len(whole.ids))
    assert all(0 <= number < VOCABULARY for number in tokens.ids)


def test_too_long_a_text_is_cut_and_said() -> None:
    fits, long = "cat " * 75, "cat " * 76
    assert not tokenize(fits).cut
    assert len(tokenize(fits).ids) == 77
    assert tokenize(long).cut
    assert tokenize(long).ids == tokenize(fits).ids
    assert cut_texts([fits, long, "cat"]) == [long]


def test_a_batch_is_as_long_as_its_longest_row() -> None:
    ids = batch_ids(["cat", "a photo of a cat"])
    assert ids.shape == (2, 7)
    assert ids.dtype.name == "int64"
    assert ids[0].tolist() == [START_ID, tokenize("cat").ids[1], END_ID, 0, 0, 0, 0]


def test_needs_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from framekeep.encoders.tokenizer import tokenize; tokenize('a cat'); "
        "sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
