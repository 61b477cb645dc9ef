"""Our SAM against transformers' own, with the same random weights and its own processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import SamConfig, SamModel, SamProcessor, SamVisionConfig
from transformers.models.sam.configuration_sam import SamMaskDecoderConfig, SamPromptEncoderConfig
from transformers.models.sam.image_processing_pil_sam import SamImageProcessorPil

from framekeep.geometry import decode_mask
from framekeep.object_types import Prompt, SegmenterInfo
from framekeep.segmenters.sam import SamSegmenter
from framekeep.settings import Settings
from framekeep.types import RgbImage
from tests.helpers.sam_weights import (
    SAM_SIZES,
    TINY_PX,
    one_thread,
    sam_tensors,
    transformers_tensors,
    write_sam,
)

__all__ = ["one_thread"]

PROMPTS = {
    "point": Prompt(((40.0, 30.0),), (1,)),
    "points": Prompt(((40.0, 30.0), (90.5, 60.25)), (1, 0)),
    "box": Prompt(box_xyxy=(20.0, 10.0, 100.0, 70.0)),
    "both": Prompt(((40.0, 30.0), (80.0, 60.0)), (1, 0), (20.0, 10.0, 100.0, 70.0)),
}
SIZES_WH = [(120, 80), (200, 301), (128, 128)]


def picture(size_wh: tuple[int, int]) -> RgbImage:
    coarse = np.random.default_rng(3).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize(size_wh))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> SamSegmenter:
    path: Path = write_sam(tmp_path_factory.mktemp("sam"))
    return SamSegmenter(SegmenterInfo("tiny", "tiny@0/a1"), path, Settings(device="cpu"))


@pytest.fixture(scope="module")
def theirs() -> SamModel:
    size = SAM_SIZES["tiny"]
    vision = SamVisionConfig(
        hidden_size=size.width, num_hidden_layers=size.layers, num_attention_heads=size.heads,
        image_size=TINY_PX, window_size=size.window, global_attn_indexes=list(size.whole),
        output_channels=size.hidden, num_pos_feats=size.hidden // 2,
    )  # fmt: skip
    prompts = SamPromptEncoderConfig(hidden_size=size.hidden, image_size=TINY_PX)
    masks = SamMaskDecoderConfig(
        hidden_size=size.hidden, mlp_dim=size.mlp, iou_head_hidden_dim=size.hidden
    )
    model = SamModel(
        SamConfig(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=masks)
    )
    model.load_state_dict(transformers_tensors(sam_tensors()), strict=True)
    return model.eval()


@pytest.fixture(scope="module")
def processor() -> SamProcessor:
    return SamProcessor(
        SamImageProcessorPil(
            size={"longest_edge": TINY_PX}, pad_size={"height": TINY_PX, "width": TINY_PX}
        )
    )


def prepared(processor: SamProcessor, image: RgbImage, prompt: Prompt) -> Any:
    points = [[list(point) for point in prompt.points_xy]]
    return processor(
        images=Image.fromarray(image),
        input_points=points if prompt.points_xy else None,
        input_labels=[list(prompt.point_labels)] if prompt.points_xy else None,
        input_boxes=[[list(prompt.box_xyxy)]] if prompt.box_xyxy else None,
        return_tensors="pt",
    )


@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_the_picture_is_prepared_alike(ours, processor, size_wh):
    image = picture(size_wh)
    expected = processor(images=Image.fromarray(image), return_tensors="pt")
    assert np.allclose(ours.pixels(image), expected["pixel_values"][0].numpy(), atol=1e-5)
    assert ours.fitted(size_wh)[::-1] == tuple(expected["reshaped_input_sizes"][0].tolist())


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_prompts_give_the_same_logits_scores_and_masks(ours, theirs, processor, size_wh, name):
    image, prompt = picture(size_wh), PROMPTS[name]
    inputs = prepared(processor, image, prompt)
    several = name in ("point", "box")
    with torch.inference_mode():
        output = theirs(
            pixel_values=inputs["pixel_values"],
            input_points=inputs["input_points"].float() if "input_points" in inputs else None,
            input_labels=inputs.get("input_labels"),
            input_boxes=inputs["input_boxes"].float() if "input_boxes" in inputs else None,
            multimask_output=several,
        )
        seen = ours.look(image)
        logits, scores = ours.decode(
            seen,
            np.array([prompt.points_xy], np.float32) if prompt.points_xy else None,
            np.array([prompt.point_labels], np.int64) if prompt.points_xy else None,
            np.array([prompt.box_xyxy], np.float32) if prompt.box_xyxy else None,
            several=several,
        )
    assert output.pred_masks[0].std() > 1e-3
    assert torch.allclose(logits, output.pred_masks[0], atol=1e-4)
    assert torch.allclose(scores, output.iou_scores[0], atol=1e-4)

    (full,) = processor.post_process_masks(
        output.pred_masks,
        inputs["original_sizes"].tolist(),
        inputs["reshaped_input_sizes"].tolist(),
        binarize=False,
        pad_size={"height": TINY_PX, "width": TINY_PX},
    )
    for one, expected in zip(logits[0], full[0], strict=True):
        assert torch.allclose(ours.enlarged(one, seen), expected, atol=1e-4)
    # What lies this near the threshold may fall to either side.
    expected_px = [
        (float(score.clamp(0, 1)), int((mask > 1e-4).sum()), int((mask > -1e-4).sum()))
        for score, mask in zip(output.iou_scores[0, 0], full[0], strict=True)
        if (mask > 0).any()
    ]
    found = ours.prompt(image, prompt)
    same = [
        [abs(one.score - score) < 1e-4 and least <= one.area_px <= most for one in found]
        for score, least, most in expected_px
    ]
    assert np.any(same, axis=0).all()
    assert np.any(same, axis=1).all()
    assert all(decode_mask(one.mask).sum() == one.area_px for one in found)
