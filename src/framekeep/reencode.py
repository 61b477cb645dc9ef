"""Encoding a library's media again with another encoder, and checking a precision on its photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from framekeep.encoders.base import Encoder
from framekeep.errors import MediaError, PrecisionError
from framekeep.ingest import Progress
from framekeep.media.limits import Limits
from framekeep.media.pictures import read_picture
from framekeep.segmenting import encode_objects
from framekeep.store.catalog import Catalog
from framekeep.store.repair import replay
from framekeep.stores import Stores, encode_carefully
from framekeep.types import (
    EncoderInfo,
    FileRecord,
    IngestEvent,
    IngestKind,
    MediaItem,
    PrecisionReport,
    RgbImage,
    Vectors,
)

SMALLEST_SAMPLE = 50
NEIGHBOURS = 10
Paths = dict[str, list[str]]
Items = dict[str, MediaItem]


def reencode(stores: Stores, limits: Limits) -> Iterator[IngestEvent]:
    """Give every live medium and its objects vectors in the encoder's spaces.

    Resumes where it was stopped. A medium that can no longer be read becomes a problem, so that
    the new space is complete.
    """
    catalog, space = stores.catalog, stores.space
    replay(catalog, stores.vectors, space, stores.object_space)
    stores.vectors.create(space, stores.encoder.dim)
    owners = set(catalog.objects.owners_lacking(stores.object_space))
    if owners:
        stores.vectors.create(stores.object_space, stores.encoder.dim)
    progress = Progress(found=len(owners.union(catalog.lacking_vectors(space))))
    run_id = catalog.new_run()
    films: dict[str, str] = {}
    with ThreadPoolExecutor(limits.threads) as pool:
        ids = [""]
        step = stores.encoder.batch_size * 4
        while ids := catalog.lacking_vectors(space, limit=step, after=ids[-1]):
            paths, items = catalog.paths(ids), catalog.media(ids)

            def read_one(i: str, p: Paths = paths, m: Items = items) -> tuple[RgbImage | None, str]:
                return _read_any(stores.encoder, m[i], p[i], limits)

            read = pool.map(read_one, ids)
            bad = _store(stores, dict(zip(ids, read, strict=True)))
            for media_id in list(bad):
                moment = items[media_id].moment
                if moment:
                    films[moment.film_id] = bad[media_id]
            photos = {i: reason for i, reason in bad.items() if not items[i].moment}
            catalog.record_files(_failures(stores, paths, photos), run_id)
            both = owners.intersection(ids).difference(bad)
            owners.difference_update(ids)
            for media_id in ids:
                if media_id not in both:
                    kind: IngestKind = "failed" if media_id in bad else "indexed"
                    path = paths[media_id][0]
                    yield progress.event(kind, path, bad.get(media_id), media_id)
            yield from encode_objects(sorted(both), stores, limits, progress)
    yield from encode_objects(sorted(owners), stores, limits, progress)
    # A film of which other frames could be read stays: what is lacking is not found, but kept.
    lost = {i: r for i, r in films.items() if not catalog.have_vectors(space, catalog.frame_ids(i))}
    catalog.record_files(_failures(stores, catalog.paths(sorted(lost)), lost), run_id)
    yield progress.event("done")


def _store(stores: Stores, results: dict[str, tuple[RgbImage | None, str]]) -> dict[str, str]:
    """Encode and write one batch; gives the reasons of those that came to nothing."""
    good = [(i, image) for i, (image, _) in results.items() if image is not None]
    vectors, bad = encode_carefully(stores.encoder, good)
    bad |= {i: reason for i, (image, reason) in results.items() if image is None}
    kept = [i for i, _ in good if i not in bad]
    stores.catalog.put_vectors(stores.space, kept, vectors)
    if kept:
        stores.vectors.upsert(stores.space, kept, vectors)
        stores.catalog.mark_indexed(stores.space, kept)
    return bad


def _read_any(
    encoder: Encoder, item: MediaItem, paths: Sequence[str], limits: Limits
) -> tuple[RgbImage | None, str]:
    """The prepared picture from the first file that can be read, or the last file's reason."""
    reason = "No file of this picture is left."
    for path in paths:
        try:
            rgb = read_picture(path, item, limits, min_side_px=encoder.decode_side_px)
        except MediaError as exc:
            reason = str(exc)
        else:
            return encoder.prepare(rgb), ""
    return None, reason


def _failures(stores: Stores, paths: dict[str, list[str]], bad: dict[str, str]) -> list[FileRecord]:
    known = stores.catalog.files_at([path for i in bad for path in paths[i]])
    return [
        replace(known[path], state="failed", reason=reason)
        for media_id, reason in bad.items()
        for path in paths[media_id]
    ]


def check_precision(
    stores: Stores, candidate: Encoder, limits: Limits, sample: int = 200
) -> PrecisionReport:
    """Compare `candidate` with the fp32 encoder in `stores` on a sample of the library's photos.

    Mean cosine between the two vectors of a photo, and the mean share of its ten nearest
    neighbours within the sample on which both agree. Raises PrecisionError for too few photos.
    """
    catalog = stores.catalog
    ids = catalog.sample_ids(stores.space, sample, seed=0)
    pictures = []
    items = catalog.media(ids)
    for media_id, paths in catalog.paths(ids).items():
        image, _ = _read_any(candidate, items[media_id], paths, limits)
        if image is not None:
            pictures.append((media_id, image))
    if len(pictures) < SMALLEST_SAMPLE:
        raise PrecisionError(
            f"Checking {candidate.info.precision} takes at least {SMALLEST_SAMPLE} readable photos "
            f"in the library, and it has {len(pictures)}: add more photos first."
        )
    images = [image for _, image in pictures]
    reference, other = stores.encoder.encode_images(images), candidate.encode_images(images)
    return PrecisionReport(
        encoder_id=candidate.id,
        precision=candidate.info.precision,
        sample=len(pictures),
        mean_cosine=float(np.mean(np.sum(reference * other, axis=1))),
        top10_overlap=_neighbour_overlap(reference, other),
        checked_at=datetime.now(UTC),
    )


def require_checked(catalog: Catalog, info: EncoderInfo) -> None:
    """Raise PrecisionError for an int8 that has not passed its check on this library's photos."""
    if info.precision != "int8":
        return
    report = catalog.get_check(info.id, info.precision)
    if report is None:
        raise PrecisionError(
            f"int8 has not been checked on your photos with {info.name} yet: run `framekeep "
            f"library check int8` first."
        )
    if not report.passed:
        raise PrecisionError(
            f"int8 did not pass its check on your photos with {info.name}: mean cosine to "
            f"fp32 {report.mean_cosine:.4f} (at least 0.99 wanted), top-10 overlap "
            f"{report.top10_overlap:.2f} (at least 0.9 wanted). Stay with fp32."
        )


def _neighbour_overlap(reference: Vectors, other: Vectors) -> float:
    def nearest(rows: Vectors) -> list[set[int]]:
        scores = rows @ rows.T
        np.fill_diagonal(scores, -np.inf)
        top = np.argpartition(-scores, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        return [set(row.tolist()) for row in top]

    pairs = zip(nearest(reference), nearest(other), strict=True)
    return float(np.mean([len(a & b) / NEIGHBOURS for a, b in pairs]))
