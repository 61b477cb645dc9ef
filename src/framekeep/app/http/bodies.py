"""What the annotation view sends: JSON bodies, checked and bounded before anything is done."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.requests import Request

from framekeep.app.http.incoming import RefusedError
from framekeep.object_types import Prompt
from framekeep.retouch import Stroke

MOST_BYTES = 8_000_000
MOST_POINTS = 100
MOST_STROKES = 200
LONGEST_STROKE = 5000
MOST_RINGS = 500
LONGEST_RING = 5000
WIDEST_BRUSH_PX = 5000
LONGEST_LABEL = 200

Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Point = tuple[Number, Number]
Ring = Annotated[list[Point], Field(min_length=3, max_length=LONGEST_RING)]
Rings = Annotated[list[Ring], Field(min_length=1, max_length=MOST_RINGS)]
Label = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL)]
Seen = Annotated[str, Field(max_length=64)]


class Body(BaseModel):
    """A JSON object with these fields and no others; numbers are finite."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class PromptBody(Body):
    """Points as (x, y, 1 for the object or 0 for the background) and a box, in full-size pixels."""

    points: Annotated[
        list[tuple[Number, Number, Literal[0, 1]]], Field(max_length=MOST_POINTS)
    ] = []
    box: tuple[Number, Number, Number, Number] | None = None

    def prompt(self) -> Prompt:
        """As segmenters take it. Raises InputError."""
        return Prompt(
            tuple((x, y) for x, y, _ in self.points),
            tuple(label for _, _, label in self.points),
            self.box,
        )


class StrokeBody(Body):
    """One stroke of a round brush."""

    points: Annotated[list[Point], Field(min_length=1, max_length=LONGEST_STROKE)]
    radius: Annotated[float, Field(gt=0, le=WIDEST_BRUSH_PX)]
    erase: bool = False

    def stroke(self) -> Stroke:
        """As masks are painted with it."""
        return Stroke(tuple(self.points), self.radius, self.erase)


class MovedBody(Body):
    """An outline before and after its corners were moved."""

    before: Rings
    after: Rings


class DrawnBody(Body):
    """A mask in one of four ways: COCO's counts, rings, strokes, or a moved outline."""

    counts: Annotated[str, Field(min_length=1, max_length=MOST_BYTES)] | None = None
    rings: Rings | None = None
    strokes: Annotated[list[StrokeBody], Field(min_length=1, max_length=MOST_STROKES)] | None = None
    moved: MovedBody | None = None

    @model_validator(mode="after")
    def _one_way(self) -> DrawnBody:
        given = [self.counts, self.rings, self.strokes, self.moved]
        if sum(way is not None for way in given) != 1:
            raise ValueError("give one of counts, rings, strokes and moved")
        return self


class MaskBody(DrawnBody):
    """A new mask for the object whose mask has this version, or what to add to or take from it."""

    version: Annotated[int, Field(ge=1)]
    combine: Literal["replace", "add", "remove"] = "replace"


class NewBody(DrawnBody):
    """A new object; `prompted` where a segmenter answered with its mask.

    The same `key` again, as a page sends it that never heard the answer, is the same object.
    """

    key: Annotated[str, Field(pattern=r"^[0-9a-f]{24}$")]
    label: Label | None = None
    prompted: bool = False


class LabelBody(Body):
    """A label, or None to take it away, for the object as it was seen."""

    label: Label | None
    seen: Seen


class StateBody(Body):
    """A state for the object as it was seen."""

    state: Literal["open", "accepted", "rejected"]
    seen: Seen


class UndoBody(Body):
    """The change that is to be taken back."""

    change: int


Kind = TypeVar("Kind", bound=Body)


async def read_body(request: Request, kind: type[Kind]) -> Kind:
    """A request's JSON body. Raises RefusedError for one that is too long or misses its form."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) > MOST_BYTES:
            raise RefusedError(413, f"At most {MOST_BYTES:,} bytes are taken at a time.")
    try:
        return kind.model_validate_json(bytes(held), strict=True)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the body"
        raise RefusedError(
            400, f"What was sent is not as it should be, at {place[:100]}: {first['msg'].lower()}."
        ) from exc
