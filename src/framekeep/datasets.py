"""Part of the library: exporting and importing datasets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from framekeep.errors import (
    EncoderError,
    InputError,
    LibraryLockedError,
    MediaError,
    NotFoundError,
    WeightsError,
)
from framekeep.types import Hit, IngestEvent, Query, RgbImage, Term

if TYPE_CHECKING:
    from framekeep.export.records import DatasetFormat, ImageMode
    from framekeep.export.reports import ExportEvent, ExportPreview, ImportEvent
    from framekeep.exporting import Plan, Source
    from framekeep.media.limits import Limits
    from framekeep.settings import Settings
    from framekeep.store.catalog import Catalog
    from framekeep.stores import Stores
    from framekeep.types import EncoderInfo

EXPORTS_FOLDER = "exports"
"""The one folder in a library that datasets may be written to."""

WORTH_EXPORTING = "has-object or has-label"
MOST_FOUND = 1000


class ExportChoices(TypedDict, total=False):
    """What `export` and `export_preview` can be told, each with its default.

    What goes in: `query` (a sentence, a Query, or one as a manifest keeps it) takes the search's
    best `limit` hits (1,000); `media` takes these media, by id, path or hit; else `where` alone
    takes what matches, and without any of them everything with an object or a label is taken.
    Films are no images: their frames are taken, and always written as images of their own.

    `classes` (all) restricts and orders. `split` (None) is such as "80/10/10", `seed` (0) deals
    it; images taken within `burst_s` (3) seconds by one camera, near-duplicates (cosine `alike`,
    0.96) and all frames of a film stay in one split. `labels` ("any") "person" leaves a segmenter's
    labels out. `images` ("copy"), "link" or "reference". `masks` ("rle") or "polygon", for COCO.
    `task` ("segment") or "detect", for YOLO. `only_labelled` (False) leaves out images without
    objects.

    `description`, `contributor`, `licence` (a name, such as "CC BY 4.0") and `licence_url` are told
    in COCO's documents and in every manifest.
    """

    query: str | Query | Mapping[str, Any] | None
    media: Sequence[str | Path | Hit] | None
    limit: int | None
    classes: Sequence[str] | None
    split: str | None
    seed: int
    labels: str
    images: ImageMode
    masks: str
    task: str
    only_labelled: bool
    burst_s: float
    alike: float | None
    description: str
    contributor: str
    licence: str
    licence_url: str


class Datasets:
    """Part of `Library`: exporting and importing datasets."""

    path: Path
    _catalog: Catalog
    _settings: Settings

    if TYPE_CHECKING:

        @property
        def info(self) -> EncoderInfo:
            """The encoder of the library's vectors."""

        @property
        def _object_space(self) -> str: ...
        def _stores(self) -> Stores: ...
        def _limits(self) -> Limits: ...
        def _writing(self, what: str) -> AbstractContextManager[None]: ...
        def _decoded(self, media_id: str, min_side_px: int) -> RgbImage: ...
        def media_id(self, media: str | Path | Hit) -> str:
            """The id of a member."""

        def query(self, query: Query) -> list[Hit]:
            """Run a query."""

        def add(self, *paths: str | Path, retry: bool = False) -> Iterator[IngestEvent]:
            """Add files."""

    # Exporting

    def export(
        self,
        format: DatasetFormat,  # noqa: A002 - what a user calls it
        out: str | Path,
        where: str | None = None,
        *,
        overwrite: bool = False,
        **choices: Unpack[ExportChoices],
    ) -> Generator[ExportEvent, None, None]:
        """Write a dataset to the folder `out`; work goes on as the events are read.

        `format` is coco, yolo, crops, csv, jsonl or parquet; the choices are those of
        `ExportChoices`. The last event carries the report. `out` holds nothing before all is
        written; what was there is only replaced with `overwrite`. Raises InputError, FilterError.
        """
        from framekeep.export.placing import resolve_out
        from framekeep.exporting import export_plan

        place = resolve_out(out)
        self._check_target(place, overwrite=overwrite)
        plan = self._planned(format, where, choices)
        yield from export_plan(plan, self._source(), place)

    def export_preview(
        self,
        format: DatasetFormat,  # noqa: A002 - what a user calls it
        where: str | None = None,
        *,
        samples: int = 20,
        **choices: Unpack[ExportChoices],
    ) -> ExportPreview:
        """What `export` would write with the same choices, and samples with their objects drawn.

        Nothing is written. Raises InputError, FilterError.
        """
        from framekeep.export.drawing import SAMPLE_PX, colours_of, draw_lots, drawn
        from framekeep.export.reports import ExportPreview

        plan = self._planned(format, where, choices)
        dataset = plan.collected.dataset
        known = {each.name.casefold(): each.colour for each in self._catalog.classes()}
        colours = colours_of(dataset.classes, known)
        shown, ids = [], []
        for image in draw_lots(dataset, samples, plan.options.seed):
            try:
                rgb = self._decoded(image.media_id, SAMPLE_PX)
            except (MediaError, NotFoundError):
                continue
            shown.append(drawn(rgb, image, colours))
            ids.append(image.media_id)
        return ExportPreview(plan.report(dataset), tuple(shown), tuple(ids))

    def export_again(
        self, manifest: str | Path, out: str | Path | None = None, *, overwrite: bool = False
    ) -> Generator[ExportEvent, None, None]:
        """Write the dataset of a manifest once more, byte for byte.

        Without `out` it goes where the manifest lies, if nothing else is there. Raises
        InputError, also where the library no longer has all the pictures; it names them.
        """
        from framekeep.export.manifest import MANIFEST_FILE, read_manifest
        from framekeep.export.placing import foreign_file, resolve_out
        from framekeep.exporting import export_again

        path = resolve_out(manifest)
        path = path / MANIFEST_FILE if path.is_dir() else path
        known = read_manifest(path)
        place = path.parent if out is None else resolve_out(out)
        same = out is None and foreign_file(place, {**known.files, path.name: None}) is None
        self._check_target(place, overwrite=overwrite or same)
        yield from export_again(known, self._source(), place)

    def _planned(
        self,
        format: DatasetFormat,  # noqa: A002
        where: str | None,
        choices: ExportChoices,
    ) -> Plan:
        from importlib.metadata import version

        from framekeep.export.options import ExportOptions
        from framekeep.exporting import make_plan

        known: dict[str, Any] = dict(choices)
        query, media, limit = (known.pop(name, None) for name in ("query", "media", "limit"))
        if known.get("classes") is not None:
            known["classes"] = tuple(known["classes"])
        options = ExportOptions(format, **known)
        asked = None if query is None else _as_query(query)
        ids = self._chosen(where, asked, media, limit)
        selection = {
            "where": where or None,
            "query": None if asked is None else query_json(asked),
            "media": media is not None,
        }
        origin = {
            "framekeep": version("framekeep"),
            **selection,
            "limit": limit,
            "encoder": self.info.space,
            "object_vectors": self._object_space,
        }
        digest = hashlib.sha256(json.dumps(selection).encode()).hexdigest()
        key = f"{options.split}@{options.seed}:{digest[:16]}"
        return make_plan(self._source(), ids, options, origin, key)

    def _chosen(
        self,
        where: str | None,
        query: Query | None,
        media: Sequence[str | Path | Hit] | None,
        limit: int | None,
    ) -> list[str]:
        """The media that go in."""
        from dataclasses import replace

        from framekeep.filters import parse_filter

        if limit is not None and limit < 1:
            raise InputError("A dataset's limit is at least 1.")
        if media is not None:
            if query is not None or where:
                raise InputError("Name the media of a dataset, or search for them, not both.")
            return self._pictures_of(self.media_id(each) for each in media)[:limit]
        if query is not None:
            asked = replace(query, where=where or query.where, limit=limit or MOST_FOUND)
            return self._pictures_of(hit.media_id for hit in self.query(asked))
        return self._catalog.pictures.select_ids(parse_filter(where or WORTH_EXPORTING), limit)

    def _pictures_of(self, ids: Iterable[str]) -> list[str]:
        """These media, each once, with a film's frames in its place."""
        wanted = list(dict.fromkeys(ids))
        films = self._catalog.film_states(wanted)
        lists = ([i] if i not in films else self._catalog.frame_ids(i) for i in wanted)
        return list(dict.fromkeys(some_id for each in lists for some_id in each))

    def _check_target(self, out: Path, *, overwrite: bool) -> None:
        from framekeep.export.placing import check_target

        library = self.path.resolve()
        own = out.is_relative_to(library / EXPORTS_FOLDER) and out != library / EXPORTS_FOLDER
        check_target(out, overwrite=overwrite, keep=[] if own else [library])
        if overwrite and self._catalog.knows_path(str(out)) and out.is_dir():
            raise InputError(
                f"{out} holds photos of this library, so it is not replaced: name another folder."
            )

    def _source(self) -> Source:
        from framekeep.exporting import Source

        return Source(self._catalog, self.info.space, self._object_space, self._limits())

    # Importing

    def import_dataset(
        self,
        path: str | Path,
        format: str | None = None,  # noqa: A002 - what a user calls it
        *,
        add: bool = True,
    ) -> Generator[ImportEvent, None, None]:
        """Take the objects of a COCO or YOLO dataset over as segments with labels.

        `path` is the dataset's folder, or its JSON or YAML file; `format` "coco" or "yolo", told
        by its files where it is None. Pictures are known by their content; those that the library
        lacks are added, unless `add` is False. Importing again changes nothing. The last event
        carries the report, with a problem for all that did not fit. Raises InputError.
        """
        from framekeep.importing import dataset_name, import_images

        place = Path(path).expanduser().absolute()
        kind = _kind_of(place, format)
        if kind == "coco":
            from framekeep.export.read_coco import read_coco as read
        else:
            from framekeep.export.read_yolo import read_yolo as read
        images, problems = read(place)
        name = dataset_name(place)

        def add_files(paths: Sequence[str]) -> Iterator[IngestEvent]:
            return self.add(*paths)

        events = import_images(
            images,
            problems,
            kind,
            name,
            self._catalog,
            add_files if add else None,
            self._settings.threads,
        )
        for event in events:
            if event.kind == "done":
                yield from self._encode_imported(event)
            yield event

    def _encode_imported(self, last: ImportEvent) -> Iterator[ImportEvent]:
        """Give the new objects their vectors; where that cannot be now, `segment` does it."""
        from framekeep.export.reports import ImportEvent
        from framekeep.ingest import Progress
        from framekeep.segmenting import encode_objects

        if last.report is None or not last.report.objects:
            return
        space = self._object_space
        owners = self._catalog.objects.owners_lacking(space)
        try:
            with self._writing("import"):
                stores = self._stores()
                stores.vectors.create(space, stores.encoder.dim)
                steps = encode_objects(owners, stores, self._limits(), Progress(len(owners)))
                for done, event in enumerate(steps, 1):
                    yield ImportEvent("encoding", done, len(owners), event.path, event.reason)
        except (WeightsError, EncoderError, LibraryLockedError):
            return


def query_json(query: Query) -> dict[str, Any]:
    """A query as a manifest and a job keep it; a picture is told by the SHA-256 of its pixels."""
    return {
        "of": query.of,
        "terms": [
            {"kind": term.kind, "value": _told(term), "weight": term.weight} for term in query.terms
        ],
    }


def _told(term: Term) -> str:
    if isinstance(term.value, str):
        return term.value
    return hashlib.sha256(term.value.tobytes()).hexdigest()


def _as_query(query: str | Query | Mapping[str, Any]) -> Query:
    """A query from a sentence, or as `query_json` gives it. Raises InputError."""
    if isinstance(query, Query):
        return query
    if isinstance(query, str):
        if not query.strip():
            raise InputError("The text to search for is empty: leave the query out to take all.")
        return Query((Term("text", query),))
    try:
        terms = [Term(t["kind"], str(t["value"]), t.get("weight", 1.0)) for t in query["terms"]]
        return Query(tuple(terms), of=query.get("of", "media"))
    except (KeyError, TypeError, AttributeError) as exc:
        raise InputError(f"The query of a dataset cannot be read: {query!r:.200}.") from exc


def _kind_of(path: Path, kind: str | None) -> str:
    """Which format a dataset has. Raises InputError, NotFoundError."""
    if not path.exists():
        raise NotFoundError(f"There is no dataset {path}: check the spelling.")
    if kind is not None:
        if kind not in ("coco", "yolo"):
            raise InputError(f"Datasets are read from coco or yolo, not from {kind}.")
        return kind
    suffix = path.suffix.lower()
    if path.is_file() and suffix in (".json", ".yaml", ".yml"):
        return "coco" if suffix == ".json" else "yolo"
    if path.is_dir():
        if any(path.glob("*.yaml")) or any(path.glob("*.yml")) or (path / "labels").is_dir():
            return "yolo"
        if any(path.glob("*.json")) or any(path.glob("*/*.json")):
            return "coco"
    raise InputError(f"{path} is neither a COCO nor a YOLO dataset: name its JSON or YAML file.")
