"""From the catalog to a dataset: which images, objects, classes and names it has, and why not more.

Nothing is read but the first bytes of files whose format may have to change.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from framekeep.errors import InputError
from framekeep.export.dataset import Wish, safe_names, safe_text
from framekeep.export.options import ExportOptions
from framekeep.export.records import Dataset, ExportImage, ExportObject
from framekeep.export.reports import Tally
from framekeep.media.upright import SUFFIX, Form, form_for_training, form_of_frames
from framekeep.object_types import Segment
from framekeep.store.catalog import Catalog
from framekeep.types import MediaItem

GONE = "Its file is not where it was: add its folder again."
UNLABELLED = "It has no label."
BY_MODEL = "Its label is a segmenter's, and only those of people are wanted."
NOT_WANTED = "Its class is not among those that are wanted."
OTHER_SIZE = "Its mask has another size than its picture."
EMPTY = "It has no object left, and only images with objects are wanted."
NOTHING_TO_CUT = "It has no object to cut out."

_SUFFIXES = {
    "jpeg": (".jpg", ".jpeg", ".jpe"),
    "png": (".png",),
    "bmp": (".bmp",),
    "webp": (".webp",),
}


@dataclass(frozen=True, slots=True)
class Collected:
    """A dataset without splits; `forms` has what is written anew, and as what.

    `items` are the media as the catalog knows them, `segmenters` the ids of those whose masks or
    labels are in it, `unseen` counts images that no segmenter has looked at and nobody labelled.
    """

    dataset: Dataset
    forms: Mapping[str, Form]
    items: Mapping[str, MediaItem]
    segmenters: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)


def collect(catalog: Catalog, ids: Sequence[str], options: ExportOptions) -> Collected:
    """What the catalog has of these media, as a dataset by the options.

    Raises InputError for a class that the library does not know.
    """
    known, paths = catalog.media(ids), catalog.paths(ids)
    # A film is no picture: its frames are.
    items = {media_id: item for media_id, item in known.items() if item.kind != "video"}
    tally = Tally()
    for media_id in sorted(set(ids) & set(items) - set(paths)):
        tally.add("image", GONE, media_id[:12])
    kept = sorted(set(items) & set(paths))
    segments = catalog.segments_of(kept)
    labels = {i: _own_labels(names) for i, names in catalog.media_labels(kept).items()}
    names = _Classes.of(catalog, segments, labels, options)
    shown = _shown(catalog, paths, kept)
    tags = _tags(catalog, items, kept)
    images, segmenters = [], set()
    for media_id in kept:
        found = segments.get(media_id, [])
        things = _objects(found, items[media_id], names, options, tally, shown[media_id])
        segmenters |= _segmenters(found, things)
        moment = items[media_id].moment
        images.append(
            ExportImage(
                media_id=media_id,
                source=_present(paths[media_id]),
                file_name=shown[media_id],
                size_wh=items[media_id].size_wh,
                objects=things,
                labels=names.wanted(labels.get(media_id, ())),
                tags=tags.get(media_id, ()),
                exif_orientation=items[media_id].exif_orientation,
                taken_at_local=items[media_id].taken_at_local,
                film_id=moment.film_id if moment else None,
                time_s=moment.time_s if moment else None,
            )
        )
    images = [image for image in images if _stays(image, options, tally)]
    forms, images = _named(images, items, options)
    used = {thing.label for image in images for thing in image.objects}
    return Collected(
        Dataset(names.listed(used), tuple(images)),
        forms,
        {image.media_id: items[image.media_id] for image in images},
        tuple(sorted(segmenters)),
        tally,
    )


@dataclass(frozen=True, slots=True)
class _Classes:
    """How classes are spelled, by their names in lower case; `order` where they are restricted."""

    spelled: Mapping[str, str]
    order: tuple[str, ...] | None

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        segments: Mapping[str, Sequence[Segment]],
        labels: Mapping[str, Sequence[str]],
        options: ExportOptions,
    ) -> _Classes:
        said = {thing.label for found in segments.values() for thing in found if thing.label}
        said |= {name for names in labels.values() for name in names}
        kept = [each.name for each in catalog.classes()]
        known = {name.casefold(): name for name in [*sorted(said, reverse=True), *kept]}
        if options.classes is None:
            return cls(known, None)
        wanted = list(dict.fromkeys(name.strip() for name in options.classes))
        for name in wanted:
            if name.casefold() not in known:
                near = difflib.get_close_matches(name.casefold(), known, 1)
                hint = f"did you mean {known[near[0]]}?" if near else "see `framekeep classes`."
                raise InputError(f"There is no class {name}: {hint}")
        order = tuple(known[name.casefold()] for name in wanted)
        return cls({name.casefold(): name for name in order}, tuple(dict.fromkeys(order)))

    def wanted(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of these classes that are wanted, as they are spelled."""
        kept = (self.spelled.get(name.casefold()) for name in names)
        return tuple(name for name in kept if name is not None)

    def listed(self, used: set[str]) -> tuple[str, ...]:
        """The dataset's classes in their order."""
        return self.order or tuple(sorted(used, key=lambda name: (name.casefold(), name)))


def _own_labels(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=str.casefold))


def _objects(
    segments: Sequence[Segment],
    item: MediaItem,
    names: _Classes,
    options: ExportOptions,
    tally: Tally,
    shown: str,
) -> tuple[ExportObject, ...]:
    things = []
    for segment in segments:
        reason = _why_not(segment, item, names, options)
        if reason is not None:
            tally.add("object", reason, shown)
            continue
        left, top, right, bottom = map(float, segment.bbox_xyxy)
        things.append(
            ExportObject(
                segment_id=segment.segment_id,
                label=names.wanted([segment.label or ""])[0],
                mask=segment.mask,
                bbox_xyxy=(left, top, right, bottom),
                area_px=int(segment.area_px),
                score=float(segment.score),
                source=segment.label_source or "model",
                attributes=segment.attributes,
            )
        )
    # The largest first; a segment's own id is drawn at random: it only settles what is alike.
    return tuple(
        sorted(
            things, key=lambda t: (-t.area_px, t.bbox_xyxy, t.label, t.mask.counts, t.segment_id)
        )
    )


def _why_not(
    segment: Segment, item: MediaItem, names: _Classes, options: ExportOptions
) -> str | None:
    if segment.label is None:
        return UNLABELLED
    if options.labels == "person" and segment.label_source == "model":
        return BY_MODEL
    if not names.wanted([segment.label]):
        return NOT_WANTED
    return OTHER_SIZE if segment.mask.size_wh != item.size_wh else None


def _segmenters(segments: Sequence[Segment], things: Sequence[ExportObject]) -> set[str]:
    exported = {thing.segment_id for thing in things}
    return {segment.segmenter_id for segment in segments if segment.segment_id in exported}


def _stays(image: ExportImage, options: ExportOptions, tally: Tally) -> bool:
    """Whether an image is part of the dataset although it may have no object."""
    if image.objects:
        return True
    reason = None
    if options.format == "crops":
        reason = NOTHING_TO_CUT
    elif options.only_labelled and not (image.labels and not options.holds_pictures):
        reason = EMPTY
    if reason is None:
        return True
    tally.add("image", reason, image.file_name)
    return False


def _shown(
    catalog: Catalog, paths: Mapping[str, Sequence[str]], ids: Sequence[str]
) -> dict[str, str]:
    """The name each medium's owner knows it by: its file's, or the one it was uploaded under."""
    first = {media_id: str(_present(paths[media_id])) for media_id in ids}
    uploaded = catalog.shown_names(list(first.values()))
    return {i: PurePath(uploaded.get(path, path)).name for i, path in first.items()}


def _tags(
    catalog: Catalog, items: Mapping[str, MediaItem], ids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The tags of media; a frame has its film's, too."""
    films = {i: moment.film_id for i in ids if (moment := items[i].moment)}
    found = catalog.tags_of([*ids, *sorted(set(films.values()))])
    whose = {i: dict.fromkeys((i, films.get(i, i))) for i in ids}
    return {
        i: tuple(sorted({tag for each in owners for tag in found.get(each, ())}))
        for i, owners in whose.items()
    }


def _present(paths: Sequence[str]) -> Path:
    return next((Path(path) for path in paths if Path(path).is_file()), Path(paths[0]))


def _named(
    images: Sequence[ExportImage], items: Mapping[str, MediaItem], options: ExportOptions
) -> tuple[dict[str, Form], list[ExportImage]]:
    """The images under safe and unique names, in the order of these, and which change format."""
    forms: dict[str, Form] = {}
    films = _film_names(images)
    wishes = []
    for image in images:
        item = items[image.media_id]
        if item.video is not None:
            forms[image.media_id] = frame_form = form_of_frames(item.video.codec)
            tail = _time_in_name(image.time_s or 0.0)
            name = films[image.film_id or ""]
            wishes.append(Wish(image.media_id, name, SUFFIX[frame_form], tail))
            continue
        form = form_for_training(image.source, item.format, image.exif_orientation)
        stem, suffix = _split_name(image.file_name, item.format)
        if form is not None:
            forms[image.media_id] = form
            suffix = SUFFIX[form]
        elif options.format == "crops":
            suffix = SUFFIX["jpeg" if item.format in ("jpeg", "webp") else "png"]
        wishes.append(Wish(image.media_id, stem, suffix))
    names = safe_names(wishes)
    if options.format in ("coco", "yolo") and options.images == "reference":
        names |= {i.media_id: str(i.source) for i in images if i.media_id not in forms}
    named = [replace(image, file_name=names[image.media_id]) for image in images]
    return forms, sorted(named, key=lambda image: (image.file_name.casefold(), image.media_id))


def _film_names(images: Sequence[ExportImage]) -> dict[str, str]:
    """A name for each film, by its id; those that share one have the id's first digits in front."""
    stems = {i.film_id: PurePath(i.file_name).stem for i in images if i.film_id is not None}
    shared = Counter(safe_text(stem).casefold() for stem in stems.values())
    return {
        film_id: stem if shared[safe_text(stem).casefold()] == 1 else f"{film_id[:12]}-{stem}"
        for film_id, stem in stems.items()
    }


def _time_in_name(time_s: float) -> str:
    """Of equal length for all times, so that the frames of a film are sorted by their names."""
    return f"_t{time_s:010.3f}"


def _split_name(name: str, kind: str) -> tuple[str, str]:
    """A file's name in two: a suffix that fits the format stays as it is written."""
    suffixes = _SUFFIXES.get(kind, (f".{kind}",))
    pure = PurePath(name)
    if pure.suffix.lower() in suffixes:
        return pure.stem, pure.suffix
    # Another picture's suffix is misleading; what only looks like one belongs to the name.
    return (name if kind != "raw" and len(pure.suffix) > 5 else pure.stem), suffixes[0]
