"""Checkpoints of SAM and SAM 2, as real files of random weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from framekeep.errors import WeightsError
from framekeep.segmenters.sam_arch import read_arch, size_of
from framekeep.segmenters.sam_checkpoint import (
    SamCheckpoint,
    build_model,
    check_sam,
    read_sam,
    sniff,
)
from framekeep.segmenters.sam_names import family_of, name_table
from tests.helpers.clip_weights import write_openai_checkpoint, write_transformers_checkpoint
from tests.helpers.sam_weights import (
    SAM2_SIZES,
    SAM_SIZES,
    sam2_tensors,
    sam_tensors,
    transformers_tensors,
    write_sam,
    write_sam2,
)

FULL_SIZES = [(sam_tensors, name) for name in SAM_SIZES if name != "tiny"]
FULL_SIZES += [(sam2_tensors, name) for name in SAM2_SIZES if name != "tiny"]


@pytest.mark.parametrize(("tensors_of", "name"), FULL_SIZES, ids=[name for _, name in FULL_SIZES])
def test_the_keys_of_every_full_size_map_one_to_one(tensors_of, name):
    tensors = tensors_of(name, device="meta")
    found = family_of(tensors)
    assert found == ("sam2" if name.startswith("sam2") else "sam", "meta")
    table = name_table(tensors, *found)
    ours = {
        key: tensors[parts[0]] if len(parts) == 1 else torch.cat([tensors[part] for part in parts])
        for key, parts in table.items()
    }
    shapes = {key: tuple(tensor.shape) for key, tensor in ours.items()}
    arch = read_arch(name, shapes, found[0], {})
    assert size_of(arch) == name
    # Strict: it raises where one is missing, too many, or of another shape.
    model = build_model(Path(name), SamCheckpoint(arch, ours, "meta"))
    assert set(model.state_dict()) == set(table)
    used = [key for parts in table.values() for key in parts]
    idle = {key for key in tensors if key not in used}
    if found[0] == "sam":
        assert not idle
        assert len(used) == len(tensors) + 1  # the positions' matrix has two names
    else:
        assert all(key.startswith(("memory_", "maskmem", "no_", "mask_", "obj_")) for key in idle)
        assert len(used) - 1 == len(tensors) - len(idle)


@pytest.mark.parametrize("form", ["meta", "transformers"])
@pytest.mark.parametrize("write", [write_sam, write_sam2])
def test_both_forms_give_the_same_tensors(tmp_path, write, form):
    made = sam_tensors() if write is write_sam else sam2_tensors()
    expected = transformers_tensors(made)
    path = write(tmp_path, form=form)
    checkpoint = read_sam(path)
    assert checkpoint.dialect == form
    assert checkpoint.arch.family == sniff(path) == check_sam(path)
    assert checkpoint.tensors.keys() == expected.keys()
    assert all(torch.equal(checkpoint.tensors[name], expected[name]) for name in expected)
    model = build_model(path, checkpoint)
    assert not any(tensor.is_meta for tensor in model.state_dict().values())
    assert not model.training


def test_half_precision_is_read_as_float32(tmp_path):
    path = tmp_path / "sam.pth"
    torch.save({name: tensor.half() for name, tensor in sam_tensors().items()}, path)
    assert {tensor.dtype for tensor in read_sam(path).tensors.values()} == {torch.float32}


def test_an_old_file_of_pytorch_is_read_too(tmp_path):
    path = tmp_path / "old.pth"
    torch.save(sam_tensors(), path, _use_new_zipfile_serialization=False)
    assert check_sam(path) == "sam"


@pytest.mark.parametrize("write", [write_sam, write_sam2])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("missing", "lacks"),
        ("more", "also holds"),
        ("misshapen", "has the shape"),
        ("nan", "not numbers"),
    ],
)
def test_a_tensor_missing_added_misshapen_or_without_value_is_refused(
    tmp_path, write, change, words
):
    path = write(tmp_path)
    state = torch.load(path, weights_only=True)
    tensors = state.get("model", state)
    name = next(key for key in tensors if key.endswith("iou_prediction_head.layers.1.weight"))
    if change == "missing":
        del tensors[name]
    elif change == "more":
        tensors["mask_decoder.hf_token.weight"] = torch.zeros(1, 32)
    elif change == "misshapen":
        tensors[name] = torch.zeros(32, 31)
    else:
        tensors[name][0, 0] = torch.nan
    torch.save(state, path)
    with pytest.raises(WeightsError, match=words):
        check_sam(path)


@pytest.mark.parametrize(
    "lost", ["image_encoder.pos_embed", "mask_decoder.mask_tokens.weight", "image_encoder.blocks."]
)
def test_a_file_that_is_told_by_nothing_but_its_name_is_refused(tmp_path, lost):
    path = tmp_path / "sam.pth"
    tensors = {name: tensor for name, tensor in sam_tensors().items() if not name.startswith(lost)}
    torch.save(tensors, path)
    with pytest.raises(WeightsError):
        check_sam(path)


def test_a_size_of_sam2_that_shapes_do_not_tell_needs_its_configuration(tmp_path):
    path = write_sam2(tmp_path)
    assert read_sam(path).arch.image_px == 128
    (tmp_path / "config.json").write_text('{"vision_config": {"backbone_config": {}}}')
    with pytest.raises(WeightsError, match=r"config\.json"):
        read_sam(path)


def test_heads_that_do_not_divide_the_width_are_refused(tmp_path):
    path = write_sam2(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(config.read_text().replace("[1, 2, 4, 8]", "[3, 2, 4, 8]"))
    with pytest.raises(WeightsError, match="heads"):
        read_sam(path)


def test_other_files_are_not_taken_for_sam(tmp_path):
    text = tmp_path / "notes.safetensors"
    text.write_text("hello")
    save_file({"x": torch.zeros(1)}, tmp_path / "x.safetensors")
    torch.save([1, 2], tmp_path / "list.pt")
    others = [
        text,
        tmp_path / "x.safetensors",
        tmp_path / "list.pt",
        tmp_path / "none.pt",
        write_openai_checkpoint(tmp_path / "clip.pt"),
        write_transformers_checkpoint(tmp_path / "clip.bin"),
    ]
    for path in others:
        assert sniff(path) is None
        with pytest.raises(WeightsError):
            read_sam(path)


def test_nothing_in_a_file_is_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "sam.pth"
    torch.save({**sam_tensors(), "trap": Trap()}, path)
    with pytest.raises(WeightsError, match="damaged"):
        read_sam(path)
    assert not (tmp_path / "sprung").exists()
