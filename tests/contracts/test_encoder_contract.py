"""What every encoder does, whatever its model."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

from framekeep.encoders.base import Encoder
from framekeep.errors import InputError
from framekeep.testing import HashEncoder
from framekeep.types import RgbImage


def starter() -> Encoder:
    from framekeep.encoders.starter import StarterEncoder

    return StarterEncoder()


MAKERS: dict[str, Callable[[], Encoder]] = {"hash": HashEncoder, "starter": starter}


@pytest.fixture(scope="module", params=sorted(MAKERS))
def encoder(request: pytest.FixtureRequest) -> Encoder:
    return MAKERS[request.param]()


def picture(seed: int, size_wh: tuple[int, int] = (80, 60)) -> RgbImage:
    """Blocks of colour, so that every seed looks different after any resize."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    rows = np.arange(size_wh[1]) * 4 // size_wh[1]
    columns = np.arange(size_wh[0]) * 4 // size_wh[0]
    return np.ascontiguousarray(blocks[rows][:, columns])


def test_keeps_the_protocol(encoder: Encoder) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.id == encoder.info.id
    assert encoder.dim == encoder.info.dim
    assert encoder.info.space.startswith(encoder.id + ":")
    assert encoder.info.id.startswith(encoder.info.name + "@")
    assert encoder.batch_size >= 1
    assert encoder.decode_side_px >= 1


@pytest.mark.parametrize("count", [0, 1, 5])
def test_vectors_are_float32_unit_rows(encoder: Encoder, count: int) -> None:
    images = encoder.encode_images([picture(n) for n in range(count)])
    texts = encoder.encode_texts([f"a photo of a dog {n}" for n in range(count)])
    for rows in (images, texts):
        assert rows.shape == (count, encoder.dim)
        assert rows.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)


def test_the_same_input_gives_the_same_vector_in_any_batch(encoder: Encoder) -> None:
    pictures = [picture(n, (50 + n, 90 - n)) for n in range(6)]
    together = encoder.encode_images(pictures)
    alone = np.concatenate([encoder.encode_images([image]) for image in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    texts = ["cat", "a much longer text about a red bicycle leaning on a wall", "ä 日本"]
    together = encoder.encode_texts(texts)
    alone = np.concatenate([encoder.encode_texts([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-4)


def test_more_than_one_batch_keeps_the_order(encoder: Encoder) -> None:
    texts = [f"number {n}" for n in range(encoder.batch_size + 2)]
    rows = encoder.encode_texts(texts)
    np.testing.assert_allclose(rows[-1:], encoder.encode_texts(texts[-1:]), atol=1e-4)


def test_different_inputs_give_different_vectors(encoder: Encoder) -> None:
    rows = encoder.encode_images([picture(n) for n in range(4)])
    assert (rows @ rows.T)[np.triu_indices(4, 1)].max() < 0.9999
    rows = encoder.encode_texts(["a cat", "a dog", "the sea at night"])
    assert (rows @ rows.T)[np.triu_indices(3, 1)].max() < 0.9999


def test_encoding_a_prepared_picture_changes_nothing(encoder: Encoder) -> None:
    for size_wh in ((640, 480), (31, 200), (7, 5), (1, 1), (400, 400)):
        image = picture(3, size_wh)
        prepared = encoder.prepare(image)
        assert prepared.dtype == np.uint8
        assert prepared.ndim == 3
        assert prepared.shape[2] == 3
        np.testing.assert_array_equal(encoder.prepare(prepared), prepared)
        np.testing.assert_allclose(
            encoder.encode_images([prepared]), encoder.encode_images([image]), atol=1e-6
        )


def test_the_input_is_left_as_it_was(encoder: Encoder) -> None:
    image = picture(1)
    before = image.copy()
    encoder.encode_images([image])
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        "photo.jpg",
    ],
    ids=["grey", "alpha", "float", "empty", "path"],
)
def test_what_is_no_picture_is_refused(encoder: Encoder, image: object) -> None:
    with pytest.raises(InputError, match="picture"):
        encoder.encode_images([image])  # type: ignore[list-item]


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_refused(encoder: Encoder, text: str) -> None:
    with pytest.raises(InputError, match="visible"):
        encoder.encode_texts([text])


def test_one_text_is_not_a_list_of_texts(encoder: Encoder) -> None:
    with pytest.raises(InputError, match="list"):
        encoder.encode_texts("cat")


HEAVY = """
import sys
import framekeep
{setup}
encoder.encode_texts(["a red car"])
heavy = [name for name in ("torch", "transformers", "streamlit", "chromadb") if name in sys.modules]
sys.exit(" ".join(heavy) or 0)
"""


@pytest.mark.parametrize(
    "setup",
    [
        "from framekeep.testing import HashEncoder; encoder = HashEncoder()",
        "from framekeep.encoders.starter import StarterEncoder; encoder = StarterEncoder()",
    ],
    ids=["hash", "starter"],
)
def test_a_text_query_loads_nothing_heavy(setup: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HEAVY.format(setup=setup)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_fake_finds_colours() -> None:
    fake = HashEncoder()
    colours = {"red": (220, 30, 30), "green": (30, 180, 30), "blue": (30, 60, 220)}
    pictures = [np.full((40, 60, 3), rgb, np.uint8) for rgb in colours.values()]
    scores = fake.encode_texts([f"a {name} thing" for name in colours])
    scores = scores @ fake.encode_images(pictures).T
    assert scores.argmax(axis=1).tolist() == [0, 1, 2]
