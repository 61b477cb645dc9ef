"""The weights of SAM and SAM 2: which can be named, where they are to be had, and those on disk."""

from __future__ import annotations

from pathlib import Path

from framekeep.errors import NotFoundError, OfflineError, WeightsError
from framekeep.model_folder import (
    STARTER,
    ModelCard,
    ModelStatus,
    VerifyResult,
    cards,
    check_known,
    check_new_name,
    checkpoint_in,
    checkpoint_path,
    keep_copy,
    make_card,
    read_card,
    status_of,
    verify_card,
)
from framekeep.object_types import SegmenterInfo
from framekeep.settings import Settings
from framekeep.starter_data import StarterData
from framekeep.weights import KnownModel, Progress, Source, fetch, sha256_of

SEGMENTER = "segmenter"
KINDS = ("sam", "sam2")
AUTOMATIC = "a1"
"""The version of how all objects are looked for; part of a segmenter's id."""

META = "https://dl.fbaipublicfiles.com"
_SHIPPED = ("vision.onnx", "labels.json")
_CHECKPOINTS = ("model.safetensors", "pytorch_model.bin")


def _known(
    name: str, size: int, note: str, kind: str, path: str, digest: str, hub: str = ""
) -> KnownModel:
    places = [Source(f"{META}/{path}", digest)]
    if hub:
        places.append(Source(f"hub:{hub}/{path.rsplit('/', 1)[-1]}", digest))
    return KnownModel(name, 0, size, note, tuple(places), kind)


KNOWN = {
    model.name: model
    for model in (
        _known(
            "sam2.1-tiny",
            156_008_466,
            "the quickest, good on a CPU",
            "sam2",
            "segment_anything_2/092824/sam2.1_hiera_tiny.pt",
            "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
            "facebook/sam2.1-hiera-tiny/resolve/36f406a75c9be63c7f429da63246273f028c6fd4",
        ),
        _known(
            "sam2.1-small",
            184_416_285,
            "a little finer than tiny",
            "sam2",
            "segment_anything_2/092824/sam2.1_hiera_small.pt",
            "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38",
        ),
        _known(
            "sam2.1-base-plus",
            323_606_802,
            "finer, better with a GPU",
            "sam2",
            "segment_anything_2/092824/sam2.1_hiera_base_plus.pt",
            "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
        ),
        _known(
            "sam2.1-large",
            898_083_611,
            "the finest, wants a GPU",
            "sam2",
            "segment_anything_2/092824/sam2.1_hiera_large.pt",
            "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
            "facebook/sam2.1-hiera-large/resolve/665f8e2ad61cf5f53d65644ff27c8ee525124610",
        ),
        _known(
            "sam-vit-b",
            375_042_383,
            "the first SAM, its smallest",
            "sam",
            "segment_anything/sam_vit_b_01ec64.pth",
            "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
        ),
        _known(
            "sam-vit-l",
            1_249_524_607,
            "the first SAM, wants a GPU",
            "sam",
            "segment_anything/sam_vit_l_0b3195.pth",
            "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
        ),
        _known(
            "sam-vit-h",
            2_564_550_879,
            "the first SAM, its largest: wants a GPU",
            "sam",
            "segment_anything/sam_vit_h_4b8939.pth",
            "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
        ),
    )
}


def describe(name: str, settings: Settings) -> SegmenterInfo:
    """A model's id, without loading it: its weights, and what is set of how objects are looked for.

    Raises NotFoundError for an unknown name, WeightsError where its weights are not on disk.
    """
    card = _require_card(name, settings)
    way = AUTOMATIC
    if settings.sam_points:
        way += f"-p{settings.sam_points}"
    if settings.sam_crops:
        way += f"-c{settings.sam_crops}"
    return SegmenterInfo(name, f"{name}@{card.sha256[:12]}/{way}")


def kind_of(name: str, settings: Settings) -> str | None:
    """sam or sam2 for a model of that name, known or on disk; None for any other name."""
    if name in KNOWN:
        return KNOWN[name].kind
    card = _card(name, settings)
    return card.kind if card else None


def checkpoint_of(name: str, settings: Settings) -> Path:
    """Where a model's checkpoint lies. Raises as `describe`."""
    return checkpoint_path(_require_card(name, settings), settings)


def list_models(settings: Settings) -> list[ModelStatus]:
    """The shipped segmenter, the known models of SAM, and the user's own."""
    shipped = StarterData()
    size = sum((shipped.folder / file).stat().st_size for file in _SHIPPED)
    note = "shipped; a labelled draft of the main object"
    found = [ModelStatus(STARTER, SEGMENTER, 0, True, size, note, shipped.digest)]
    own = {card.name: card for card in cards(settings, KINDS)}
    for name in dict.fromkeys([*KNOWN, *own]):
        known = KNOWN.get(name)
        if name in own:
            note = known.note if known else "added by you"
            found.append(status_of(own[name], settings, SEGMENTER, note))
        elif known:
            found.append(ModelStatus(name, SEGMENTER, 0, False, known.approx_bytes, known.note))
    return found


def pull(name: str, settings: Settings, progress: Progress | None = None) -> ModelStatus:
    """Fetch a known model's weights; nothing is done where they are there already.

    Raises NotFoundError for an unknown name, OfflineError, WeightsError.
    """
    if name != STARTER and _card(name, settings) is None:
        if name not in KNOWN:
            raise NotFoundError(f"There is no model {name} to fetch: {_names(settings)}.")
        known = KNOWN[name]
        path, source = fetch(
            name,
            known.sources,
            settings.models / name,
            offline=settings.offline,
            connect_timeout_s=settings.connect_timeout_s,
            progress=progress,
        )
        # The SHA-256 says that this is the very file: it need not be read again.
        make_card(name, path, source.sha256, source.address, known.kind, dialect="meta")
    return _status(name, settings)


def takes(path: Path) -> bool:
    """Whether a file, or a folder as the hub lays it out, holds a model of SAM."""
    from framekeep.segmenters.sam_checkpoint import sniff

    try:
        return sniff(checkpoint_in(path, _CHECKPOINTS)) is not None
    except NotFoundError:
        return False


def add_model(name: str, path: Path, settings: Settings) -> ModelStatus:
    """Take a local checkpoint of SAM or SAM 2 under a name of the user's own.

    `path` is a file, Meta's or transformers', or a folder as the hub lays it out. The file is
    copied. A known model's name is taken only for a file with one of that model's own SHA-256s.
    Raises InputError for the name, NotFoundError for the path, WeightsError for the file,
    SegmenterError where transformers, which a file of one's own is checked with, is missing.
    """
    from framekeep.segmenters.sam_checkpoint import SIDECAR, check_sam

    check_new_name(name, settings)
    source = checkpoint_in(path, _CHECKPOINTS)
    digest = sha256_of(source)
    known = KNOWN.get(name)
    check_known(source, digest, known)
    kind = known.kind if known else check_sam(source)
    target = keep_copy(source, digest, settings.models / name, (SIDECAR,))
    make_card(name, target, digest, str(source), kind)
    return _status(name, settings)


def verify(settings: Settings, name: str | None = None) -> list[VerifyResult]:
    """Compare every checkpoint of SAM on disk with its SHA-256."""
    return [verify_card(card, settings) for card in cards(settings, KINDS)
            if name in (None, card.name)]  # fmt: skip


def _status(name: str, settings: Settings) -> ModelStatus:
    return next(model for model in list_models(settings) if model.name == name)


def _names(settings: Settings) -> str:
    return f"there are {', '.join(model.name for model in list_models(settings))}"


def _card(name: str, settings: Settings) -> ModelCard | None:
    card = read_card(name, settings)
    return card if card is not None and card.kind in KINDS else None


def _require_card(name: str, settings: Settings) -> ModelCard:
    card = _card(name, settings)
    if card is not None and checkpoint_path(card, settings).exists():
        return card
    if name not in KNOWN:
        raise NotFoundError(f"There is no model {name}: {_names(settings)}.")
    error = OfflineError if settings.offline else WeightsError
    raise error(
        f"The weights of {name} are not on this machine: run `framekeep models pull {name}`, or "
        f"copy the file here and run `framekeep models add {name} FILE`."
    )
