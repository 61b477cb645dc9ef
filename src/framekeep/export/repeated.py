"""What is told of a dataset that was written again from its manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from framekeep.export.dataset import count_images, count_objects
from framekeep.export.manifest import Manifest
from framekeep.export.reports import ExportReport, LeftOut


def differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """A sentence where files, by name and SHA-256, are not those that were wanted."""
    names = {*wanted, *found}
    differ = sorted(name for name in names if wanted.get(name) != found.get(name))
    if not differ:
        return []
    return [
        f"{len(differ)} files are not byte for byte those of the manifest, {differ[0]} first: "
        "another version of framekeep or of its image library wrote them."
    ]


def report_of(manifest: Manifest) -> ExportReport:
    """The report of a manifest, counted anew."""
    dataset = manifest.dataset
    sizes = Counter({name: int(manifest.report.get(name, 0)) for name in _SIZES})
    left_out = tuple(
        LeftOut(each["what"], each["reason"], each["count"], tuple(each["examples"]))
        for each in manifest.report.get("left_out", [])
    )
    return ExportReport(
        format=manifest.options.format,
        classes=dataset.classes,
        splits=dataset.splits,
        images=count_images(dataset),
        objects=count_objects(dataset),
        groups=sizes["groups"],
        largest_group=sizes["largest_group"],
        empty_images=sum(not image.objects for image in dataset.images),
        left_out=left_out,
    )


_SIZES = ("groups", "largest_group")
