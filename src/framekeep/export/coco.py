"""COCO: one JSON document for each split, with exact masks (Lin et al. 2014)."""

from __future__ import annotations

from typing import Any, Literal

from framekeep.errors import InputError
from framekeep.export.records import Dataset, ExportImage, ExportObject, Split
from framekeep.geometry import decode_part, mask_area, mask_bbox, mask_to_polygons, xyxy_to_xywh
from framekeep.object_types import Mask

CocoMasks = Literal["rle", "polygon"]
LICENCE_ID = 1


def write_coco(dataset: Dataset, split: Split, *, masks: CocoMasks = "rle") -> dict[str, Any]:
    """The document of one split: info, licenses, categories, images and annotations.

    Masks are compressed run lengths, exact for every mask, or polygons along pixel edges; those
    leave an object with holes as run lengths (`rle_objects` counts them), for COCO's polygons know
    no holes. So nothing is lost either way. Ids count from 1 over all splits, so that documents
    can be put together. `dataset.info` may give any of COCO's own facts (`description`, `version`,
    `contributor`, `url`, `year`, `date_created`), and `license` and `license_url`; what else it
    has is written beside them. Raises InputError for a label that is not among the classes, an
    empty mask, or another kind of masks.
    """
    if masks not in ("rle", "polygon"):
        raise InputError(f"COCO's masks are rle or polygon, not {masks!r}.")
    category = {name: number for number, name in enumerate(dataset.classes, 1)}
    images, annotations = [], []
    annotation_id = 0
    for image_id, image in enumerate(dataset.images, 1):
        if image.split != split:
            annotation_id += len(image.objects)
            continue
        images.append(_image(image_id, image))
        for found in image.objects:
            annotation_id += 1
            if found.label not in category:
                raise InputError(f"The label {found.label!r} is none of the dataset's classes.")
            ids = {"id": annotation_id, "image_id": image_id, "category_id": category[found.label]}
            annotations.append(ids | _annotation(found, masks))
    return {
        "info": _info(dataset, split),
        "licenses": [
            {
                "id": LICENCE_ID,
                "name": dataset.info.get("license", "unknown"),
                "url": dataset.info.get("license_url", ""),
            }
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": ""} for name, number in category.items()
        ],
        "images": images,
        "annotations": annotations,
    }


def rle_objects(document: dict[str, Any]) -> int:
    """How many objects of a document are written as run lengths."""
    return sum(isinstance(one["segmentation"], dict) for one in document["annotations"])


def _info(dataset: Dataset, split: Split) -> dict[str, Any]:
    given = {k: v for k, v in dataset.info.items() if k not in ("license", "license_url")}
    created = given.get("date_created", "")
    year = given.get("year", created[:4])
    info: dict[str, Any] = {
        "description": "Objects found and labelled with framekeep",
        "url": "",
        "version": "1.0",
        "contributor": "",
        "date_created": created,
        **given,
        "year": int(year) if year.isdecimal() else 0,
    }
    return info | ({"split": split} if split else {})


def _image(image_id: int, image: ExportImage) -> dict[str, Any]:
    taken = image.taken_at_local
    return {
        "id": image_id,
        "width": image.size_wh[0],
        "height": image.size_wh[1],
        "file_name": f"images/{image.file_name}",
        "license": LICENCE_ID,
        "date_captured": taken.strftime("%Y-%m-%d %H:%M:%S") if taken else "",
        "media_id": image.media_id,
        "labels": list(image.labels),
        "tags": list(image.tags),
        **({} if image.film_id is None else {"film_id": image.film_id, "time_s": image.time_s}),
    }


def _annotation(found: ExportObject, masks: CocoMasks) -> dict[str, Any]:
    return {
        "segmentation": _polygons(found.mask) if masks == "polygon" else _rle(found.mask),
        "area": mask_area(found.mask),
        "bbox": [int(edge) for edge in xyxy_to_xywh(mask_bbox(found.mask))],
        "iscrowd": 0,
        "segment_id": found.segment_id,
        "score": found.score,
        "source": found.source,
        "attributes": dict(found.attributes),
    }


def _rle(mask: Mask) -> dict[str, Any]:
    width, height = mask.size_wh
    return {"size": [height, width], "counts": mask.counts}


def _polygons(mask: Mask) -> list[list[int]] | dict[str, Any]:
    part, left_top = decode_part(mask)
    polygons = mask_to_polygons(part)
    if any(holes for _, holes in polygons):
        return _rle(mask)
    return [(outer + left_top).astype(int).ravel().tolist() for outer, _ in polygons]
