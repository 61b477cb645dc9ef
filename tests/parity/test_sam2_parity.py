"""Our SAM 2 against transformers' own with the same random weights.

Its processor needs torchvision, so what that one does is written down here with PyTorch alone:
stretched to the square with antialiasing, ImageNet's normalisation, prompts scaled per axis.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import Sam2Config, Sam2Model
from transformers.models.sam2.configuration_sam2 import (
    Sam2HieraDetConfig,
    Sam2MaskDecoderConfig,
    Sam2PromptEncoderConfig,
    Sam2VisionConfig,
)

from framekeep.object_types import Prompt, SegmenterInfo
from framekeep.segmenters.sam2 import Sam2Segmenter
from framekeep.settings import Settings
from framekeep.types import RgbImage
from tests.helpers.sam_weights import (
    SAM2_SIZES,
    TINY_PX,
    one_thread,
    sam2_tensors,
    transformers_tensors,
    write_sam2,
)

__all__ = ["one_thread"]

PROMPTS = {
    "point": Prompt(((40.0, 30.0),), (1,)),
    "points": Prompt(((40.0, 30.0), (90.5, 60.25)), (1, 0)),
    "box": Prompt(box_xyxy=(20.0, 10.0, 100.0, 70.0)),
    "both": Prompt(((40.0, 30.0), (80.0, 60.0)), (1, 0), (20.0, 10.0, 100.0, 70.0)),
}
SIZES_WH = [(120, 80), (200, 301)]


def picture(size_wh: tuple[int, int]) -> RgbImage:
    coarse = np.random.default_rng(3).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    return np.array(Image.fromarray(coarse).resize(size_wh))


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Sam2Segmenter:
    path: Path = write_sam2(tmp_path_factory.mktemp("sam2"))
    return Sam2Segmenter(SegmenterInfo("tiny", "tiny@0/a1"), path, Settings(device="cpu"))


@pytest.fixture(scope="module")
def theirs() -> Sam2Model:
    size = SAM2_SIZES["tiny"]
    widths = [size.width * 2**i for i in range(4)]
    backbone = Sam2HieraDetConfig(
        hidden_size=size.width, num_attention_heads=size.heads, image_size=[TINY_PX, TINY_PX],
        blocks_per_stage=list(size.blocks), embed_dim_per_stage=widths,
        num_attention_heads_per_stage=[size.heads * 2**i for i in range(4)],
        window_size_per_stage=list(size.windows), global_attention_blocks=list(size.whole),
        window_positional_embedding_background_size=[size.background, size.background],
    )  # fmt: skip
    vision = Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=widths[::-1], fpn_hidden_size=size.hidden,
        backbone_feature_sizes=[[TINY_PX // by] * 2 for by in (4, 8, 16)],
    )  # fmt: skip
    prompts = Sam2PromptEncoderConfig(hidden_size=size.hidden, image_size=TINY_PX)
    masks = Sam2MaskDecoderConfig(
        hidden_size=size.hidden, mlp_dim=size.mlp, iou_head_hidden_dim=size.hidden
    )
    model = Sam2Model(
        Sam2Config(vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=masks)
    )
    model.load_state_dict(transformers_tensors(sam2_tensors()), strict=True)
    return model.eval()


def stretched(image: RgbImage) -> Tensor:
    """(1, 3, S, S): in bytes, as a torchvision processor resizes pictures."""
    picture = torch.from_numpy(image).permute(2, 0, 1)[None]
    square = interpolate(picture, (TINY_PX, TINY_PX), mode="bilinear", antialias=True).float() / 255
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    return (square - mean) / std


@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_the_picture_is_prepared_alike(ours, size_wh):
    image = picture(size_wh)
    # One step of 255, after the division by the smallest deviation.
    step = 1 / 255 / 0.224
    assert np.abs(ours.pixels(image) - stretched(image)[0].numpy()).max() <= step * 1.001


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("size_wh", SIZES_WH)
def test_prompts_give_the_same_logits_scores_and_masks(ours, theirs, size_wh, name):
    image, prompt = picture(size_wh), PROMPTS[name]
    several = name in ("point", "box")
    scale = torch.tensor([TINY_PX / size_wh[0], TINY_PX / size_wh[1]])
    points = labels = boxes = None
    if prompt.points_xy:
        points = (torch.tensor(prompt.points_xy) * scale)[None, None]
        labels = torch.tensor(prompt.point_labels)[None, None]
    if prompt.box_xyxy:
        boxes = (torch.tensor(prompt.box_xyxy) * scale.repeat(2))[None, None]
    with torch.inference_mode():
        output = theirs(
            pixel_values=torch.from_numpy(ours.pixels(image))[None],
            input_points=points,
            input_labels=labels,
            input_boxes=boxes,
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

    full = interpolate(output.pred_masks[0], size_wh[::-1], mode="bilinear", align_corners=False)[0]
    for one, expected in zip(logits[0], full, strict=True):
        assert torch.allclose(ours.enlarged(one, seen), expected, atol=1e-4)
    masks = {
        (round(float(score.clamp(0, 1)), 4), int((mask > 0).sum()))
        for score, mask in zip(output.iou_scores[0, 0], full, strict=True)
        if (mask > 0).any()
    }
    assert {(round(one.score, 4), one.area_px) for one in ours.prompt(image, prompt)} == masks
