"""Part of the library: searching by texts, pictures and filters; what is like what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from framekeep.errors import InputError, NotFoundError
from framekeep.terms import Image, Images, Texts, query_terms
from framekeep.types import DuplicateGroup, Hit, Query, Term

if TYPE_CHECKING:
    from framekeep.encoders.base import Encoder
    from framekeep.search import Searcher
    from framekeep.settings import Settings
    from framekeep.store.catalog import Catalog
    from framekeep.store.vectors import VectorStore
    from framekeep.types import EncoderInfo


class Searching:
    """Part of `Library`: from a query to hits."""

    _catalog: Catalog
    _vectors: VectorStore
    _settings: Settings

    if TYPE_CHECKING:

        @property
        def info(self) -> EncoderInfo:
            """The encoder of the library's vectors."""

        @property
        def encoder(self) -> Encoder:
            """The library's encoder, loaded."""

        def media_id(self, media: str | Path | Hit) -> str:
            """The id of a member."""

    def search(
        self,
        text: Texts | None = None,
        image: Images | None = None,
        exclude: Texts | None = None,
        where: str | None = None,
        limit: int = 20,
        offset: int = 0,
    ) -> list[Hit]:
        """The media nearest to texts and images, best first.

        `text`, `image` and `exclude` are one value or a list, each value alone or with a weight:
        `text=["a dog", ("snow", 0.5)]`. An image is a path, an (H, W, 3) uint8 RGB array, or the
        media id of a member. `where` filters (docs/searching.md); alone, it lists newest first.

        Raises InputError for values that cannot be used, FilterError for `where`.
        """
        terms = query_terms(text, image, exclude, self._read)
        return self.query(Query(terms, where, limit, offset))

    def query(self, query: Query) -> list[Hit]:
        """Run a query; see `search`."""
        return self._found(self._searcher().search(query))

    def similar(self, media: str | Path | Hit, limit: int = 20) -> list[Hit]:
        """The media most like a member of the library, without itself."""
        return self._found(self._searcher().similar(self.media_id(media), limit))

    def _found(self, hits: list[Hit]) -> list[Hit]:
        """The hits; where there are none, first make sure that this is not for want of an index."""
        if not hits:
            from framekeep.store.repair import check_index

            check_index(self._catalog, self._vectors, self.info.space)
        return hits

    def duplicates(
        self, kind: str = "identical", threshold: float | None = None
    ) -> list[DuplicateGroup]:
        """Groups of media that show the same: `identical`, `perceptual` or `semantic`."""
        from framekeep.duplicates import find_duplicates

        return find_duplicates(self._catalog, self._vectors, self.info.space, kind, threshold)

    def texts_cut(self, texts: Sequence[str]) -> list[str]:
        """Those texts whose end this library's encoder does not read."""
        cut = getattr(self.encoder, "texts_cut", None) if texts else None
        return list(cut(texts)) if cut else []

    def _read(self, image: Image) -> Term:
        """A query term from a picture, a file, or the id of a member."""
        from framekeep.media.images import read_photo

        if not isinstance(image, str | Path):
            return Term("image", image)
        if isinstance(image, str) and len(image) == 64 and self._catalog.media([image]):
            return Term("media", image)
        path = Path(image).expanduser()
        if path.is_dir():
            raise InputError(f"{path} is a folder: name one picture to search with.")
        if not path.is_file():
            raise NotFoundError(f"There is no file {path} to search with.")
        photo = read_photo(
            str(path),
            min_side_px=self.encoder.decode_side_px,
            max_pixels=self._settings.max_pixels,
            max_bytes=self._settings.max_bytes,
        )
        return Term("image", photo.rgb)

    def _searcher(self) -> Searcher:
        from framekeep.search import Searcher

        return Searcher(self._catalog, self._vectors, self.info, lambda: self.encoder)
