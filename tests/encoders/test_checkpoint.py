"""Reading checkpoints: what is told by the file, and what is said of files that cannot be used."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from framekeep.encoders.checkpoint import peek_arch, read_checkpoint
from framekeep.encoders.clip_arch import expected_shapes
from framekeep.errors import WeightsError
from tests.helpers import clip_weights
from tests.helpers.clip_weights import tiny_arch, tiny_clip

WRITERS: dict[str, Callable[[Path], Path]] = {
    "openai": clip_weights.write_openai_checkpoint,
    "transformers": clip_weights.write_transformers_checkpoint,
    "open_clip": clip_weights.write_open_clip_checkpoint,
}


@pytest.mark.parametrize("dialect", WRITERS)
def test_architecture_and_dialect(tmp_path: Path, dialect: str) -> None:
    file = WRITERS[dialect](tmp_path)
    assert peek_arch(file) == tiny_arch()
    read = read_checkpoint(file)
    assert read.dialect == dialect
    assert read.arch == tiny_arch()
    assert {name: tuple(t.shape) for name, t in read.tensors.items()} == expected_shapes(read.arch)
    assert all(tensor.dtype == torch.float32 for tensor in read.tensors.values())


def test_expected_shapes_are_those_of_the_model() -> None:
    model = {name: tuple(tensor.shape) for name, tensor in tiny_clip().state_dict().items()}
    assert model == expected_shapes(tiny_arch())


def test_architecture_of_full_size(tmp_path: Path) -> None:
    arch = peek_arch(clip_weights.write_transformers_checkpoint(tmp_path, "b32"))
    assert (arch.vision_width, arch.vision_layers, arch.vision_heads) == (768, 12, 12)
    assert (arch.text_width, arch.text_layers, arch.text_heads) == (512, 12, 8)
    assert (arch.patch, arch.image_px, arch.embed_dim) == (32, 224, 512)


@pytest.mark.parametrize(("quick", "expected"), [(True, "quick_gelu"), (False, "gelu")])
def test_open_clips_configuration_tells_the_activation(
    tmp_path: Path, quick: bool, expected: str
) -> None:
    file = clip_weights.write_open_clip_checkpoint(tmp_path, quick_gelu=quick)
    assert peek_arch(file).activation == expected
    assert peek_arch(file, "gelu").activation == "gelu"


def test_activation_without_a_configuration(tmp_path: Path) -> None:
    open_clip = clip_weights.write_open_clip_checkpoint(tmp_path / "a", quick_gelu=None)
    transformers = clip_weights.write_transformers_checkpoint(tmp_path / "b")
    (transformers.parent / "config.json").unlink()
    assert peek_arch(open_clip).activation == "gelu"
    assert peek_arch(transformers).activation == "quick_gelu"


def test_transformers_configuration_tells_activation_and_heads(tmp_path: Path) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path)
    config = clip_weights.transformers_config()
    for section in ("vision_config", "text_config"):
        config[section] |= {"hidden_act": "gelu", "num_attention_heads": 4}  # type: ignore[operator]
    (tmp_path / "config.json").write_text(json.dumps(config))
    expected = replace(tiny_arch(), activation="gelu", vision_heads=4, text_heads=4)
    assert peek_arch(file) == expected
    config["text_config"]["hidden_act"] = "swish"  # type: ignore[index]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="gelu and swish"):
        peek_arch(file)
    config["text_config"] |= {"hidden_act": "gelu", "num_attention_heads": 7}  # type: ignore[operator]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="cannot be shared by 7 heads"):
        peek_arch(file)


@pytest.mark.parametrize("config", ["{", "[]", '{"hidden_size": 3}'])
def test_a_foreign_configuration_is_passed_over(tmp_path: Path, config: str) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(config)
    assert peek_arch(file) == tiny_arch()


@pytest.mark.parametrize("read", [peek_arch, read_checkpoint])
def test_missing_tensors_are_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path)
    tensors = load_file(file)
    key = "text_model.encoder.layers.1.mlp.fc1.bias"
    del tensors[key]
    save_file(tensors, file)
    with pytest.raises(WeightsError, match=key):
        read(file)
    save_file({k: v for k, v in tensors.items() if "layers" not in k}, file)
    with pytest.raises(WeightsError, match=r"vision_model\.encoder\.layers\.0.* and 29 more"):
        read(file)


@pytest.mark.parametrize("read", [peek_arch, read_checkpoint])
@pytest.mark.parametrize(
    "key", ["positional_embedding_res", "visual.transformer.resblocks.0.ls_1.gamma"]
)
def test_tensors_of_other_variants_are_refused(
    tmp_path: Path, key: str, read: Callable[[Path], object]
) -> None:
    file = clip_weights.write_open_clip_checkpoint(tmp_path)
    save_file(load_file(file) | {key: torch.ones(64)}, file)
    with pytest.raises(WeightsError, match=rf"not supported: it also holds {key}"):
        read(file)


@pytest.mark.parametrize(
    ("dialect", "keys"),
    [
        ("open_clip", ["attn_mask", "logit_bias"]),
        (
            "transformers",
            [f"{tower}_model.embeddings.position_ids" for tower in ("vision", "text")],
        ),
    ],
)
def test_tensors_without_effect_are_passed_over(
    tmp_path: Path, dialect: str, keys: list[str]
) -> None:
    file = WRITERS[dialect](tmp_path)
    tensors = load_file(file)
    plain = read_checkpoint(file)
    save_file(tensors | {key: torch.arange(5) for key in keys}, file)
    more = read_checkpoint(file)
    assert more.tensors.keys() == plain.tensors.keys()
    assert all(torch.equal(more.tensors[name], plain.tensors[name]) for name in plain.tensors)


def test_a_missing_last_layer_is_told_by_the_configuration(tmp_path: Path) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path)
    save_file(
        {k: v for k, v in load_file(file).items() if "text_model.encoder.layers.2" not in k}, file
    )
    with pytest.raises(WeightsError, match=r"2 layers in its text tower.* 3"):
        peek_arch(file)


def test_tensors_that_do_not_fit(tmp_path: Path) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path)
    tensors = load_file(file)
    key = "text_model.encoder.layers.1.mlp.fc1.bias"
    save_file(tensors | {key: torch.zeros(3)}, file)
    with pytest.raises(WeightsError, match=rf"{key}.*\(3,\)"):
        peek_arch(file)
    save_file(tensors | {key: torch.full((256,), float("nan"))}, file)
    with pytest.raises(WeightsError, match="not numbers"):
        read_checkpoint(file)
    positions = "vision_model.embeddings.position_embedding.weight"
    save_file(tensors | {positions: torch.zeros(16, 128)}, file)
    with pytest.raises(WeightsError, match="no square"):
        peek_arch(file)
    patches = "vision_model.embeddings.patch_embedding.weight"
    save_file(tensors | {patches: torch.zeros(128)}, file)
    with pytest.raises(WeightsError, match="shapes"):
        peek_arch(file)


@pytest.mark.parametrize("read", [peek_arch, read_checkpoint])
@pytest.mark.parametrize("dialect", WRITERS)
def test_truncated_files(tmp_path: Path, dialect: str, read: Callable[[Path], object]) -> None:
    file = WRITERS[dialect](tmp_path)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(WeightsError, match="damaged"):
        read(file)


class Dangerous:
    """A pickle that would run a command when it is opened carelessly."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("touch opened",)


@pytest.mark.parametrize("read", [peek_arch, read_checkpoint])
def test_other_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Dangerous()}, "evil.pt")
    torch.save([1, 2], "list.pt")
    Path("text.pt").write_text("not weights")
    Path("empty.pt").touch()
    for name in ("evil.pt", "list.pt", "text.pt", "empty.pt"):
        with pytest.raises(WeightsError, match=rf"{name} is damaged, or not a checkpoint"):
            read(Path(name))
    assert not Path("opened").exists()
    save_file({"some.weight": torch.zeros(2)}, "other.safetensors")
    with pytest.raises(WeightsError, match=r"not a CLIP checkpoint .*some\.weight"):
        read(Path("other.safetensors"))
    for name in ("missing.pt", "."):
        with pytest.raises(WeightsError, match="cannot be opened"):
            read(Path(name))


def test_peeking_into_safetensors_needs_no_torch(tmp_path: Path) -> None:
    file = clip_weights.write_transformers_checkpoint(tmp_path)
    code = (
        "import sys, pathlib; from framekeep.encoders.checkpoint import peek_arch; "
        "print(peek_arch(pathlib.Path(sys.argv[1])).embed_dim, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file)], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["32", "False"]


def test_big_picture_towers_have_wider_heads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = clip_weights.Sizes((1280, 1, 16), (64, 1, 1), patch=14, image_px=28, embed_dim=32)
    monkeypatch.setitem(clip_weights.SIZES, "tiny", huge)
    file = clip_weights.write_open_clip_checkpoint(tmp_path, quick_gelu=None)
    assert peek_arch(file).vision_heads == 16
