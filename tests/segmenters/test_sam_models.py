"""SAM's weights as models: fetched, verified, resumed, added; and which one is taken."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from framekeep import modelling
from framekeep.cli import common
from framekeep.cli.main import app
from framekeep.encoders import registry as encoders
from framekeep.errors import InputError, NotFoundError, OfflineError, WeightsError
from framekeep.model_folder import CARD
from framekeep.segmenters import models, registry
from framekeep.segmenters.sam import SamSegmenter
from framekeep.segmenters.sam2 import Sam2Segmenter
from framekeep.settings import Settings
from framekeep.weights import KnownModel, Source
from tests.helpers.clip_weights import write_transformers_checkpoint
from tests.helpers.http import Served, serving
from tests.helpers.sam_weights import one_thread, write_sam, write_sam2

__all__ = ["one_thread"]

NAMES = [
    "starter", "sam2.1-tiny", "sam2.1-small", "sam2.1-base-plus", "sam2.1-large",
    "sam-vit-b", "sam-vit-l", "sam-vit-h",
]  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=tmp_path / "models", offline=False, device="cpu")


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sam(tmp_path_factory.mktemp("sam"))


@pytest.fixture(scope="module")
def sam2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sam2(tmp_path_factory.mktemp("sam2"))


@pytest.fixture
def served(sam, monkeypatch):
    """ViT-B, served by this machine: a tiny one in its place."""
    content = sam.read_bytes()
    with serving(files={"sam_vit_b.pth": content}) as served:
        source = Source(f"{served.url}/sam_vit_b.pth", hashlib.sha256(content).hexdigest())
        known = KnownModel("sam-vit-b", 0, len(content), "", (source,), "sam")
        monkeypatch.setitem(models.KNOWN, "sam-vit-b", known)
        yield served


def stand_in(monkeypatch: pytest.MonkeyPatch, name: str, file: Path) -> None:
    """Have a known name stand for a file at hand."""
    known = models.KNOWN[name]
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    source = Source("http://127.0.0.1:9/none", digest)
    monkeypatch.setitem(
        models.KNOWN, name, KnownModel(name, 0, 1, known.note, (source,), known.kind)
    )


def test_every_known_source_is_pinned_and_encrypted(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert ["starter", *models.KNOWN] == NAMES
    for model in models.KNOWN.values():
        assert model.sources
        assert len({source.sha256 for source in model.sources}) == 1
        for source in model.sources:
            assert source.address.startswith("https://")
            assert len(bytes.fromhex(source.sha256)) == 32


def test_a_model_is_fetched_resumed_verified_and_used(settings, served: Served):
    served.cut_after = 100_000
    with pytest.raises(WeightsError, match="broke off"):
        modelling.pull_model("sam-vit-b", settings)
    with pytest.raises(WeightsError, match="models pull sam-vit-b"):
        registry.load_segmenter("sam-vit-b", settings)
    served.cut_after = None
    told: list[tuple[str, int, int | None]] = []
    status = modelling.pull_model("sam-vit-b", settings, lambda *step: told.append(step))
    assert 0 < told[0][1] < told[-1][1] == status.bytes
    assert (status.kind, status.on_disk, status.dim) == ("segmenter", True, 0)
    assert [result.ok for result in modelling.verify_models(settings, "sam-vit-b")] == [True]
    asked = len(served.requests)
    modelling.pull_model("sam-vit-b", settings)
    assert len(served.requests) == asked

    digest = str(status.sha256)
    assert registry.describe("sam-vit-b", settings).id == f"sam-vit-b@{digest[:12]}/a1"
    assert isinstance(registry.load_segmenter("sam-vit-b", settings), SamSegmenter)
    path = Path(str(status.path))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    (result,) = modelling.verify_models(settings, "sam-vit-b")
    assert (result.ok, result.name) == (False, "sam-vit-b")
    assert "damaged" in result.reason


def test_a_wrong_file_is_never_used(settings, served: Served):
    served.files["sam_vit_b.pth"] = b"something else"
    with pytest.raises(WeightsError, match="not the right one"):
        modelling.pull_model("sam-vit-b", settings)
    assert not next(m for m in models.list_models(settings) if m.name == "sam-vit-b").on_disk


def test_offline_is_respected(tmp_path, served: Served):
    settings = Settings(models=tmp_path, offline=True)
    with pytest.raises(OfflineError):
        modelling.pull_model("sam-vit-b", settings)
    with pytest.raises(OfflineError, match="models add sam-vit-b FILE"):
        registry.describe("sam-vit-b", settings)
    assert served.requests == []


@pytest.mark.parametrize(
    ("write", "form", "kind"),
    [
        (write_sam, "meta", SamSegmenter),
        (write_sam, "transformers", SamSegmenter),
        (write_sam2, "meta", Sam2Segmenter),
        (write_sam2, "transformers", Sam2Segmenter),
    ],
)
def test_a_file_of_ones_own_is_told_by_its_tensors(settings, tmp_path, write, form, kind):
    path = write(tmp_path / "own", form=form)
    status = modelling.add_model("mine", path, settings)
    assert (status.kind, status.note) == ("segmenter", "added by you")
    shutil.rmtree(tmp_path / "own")
    assert registry.names(settings) == [*NAMES, "mine"]
    assert isinstance(registry.load_segmenter("mine", settings), kind)
    assert [result.ok for result in modelling.verify_models(settings)] == [True, True]


def test_a_folder_as_the_hub_lays_it_out_can_be_added(settings, tmp_path):
    write_sam2(tmp_path / "hub", form="transformers")
    assert modelling.add_model("mine", tmp_path / "hub", settings).on_disk
    assert (settings.models / "mine" / "config.json").exists()


def test_a_known_name_is_kept_for_its_file(settings, sam, sam2, monkeypatch):
    with pytest.raises(InputError, match="another name"):
        modelling.add_model("sam-vit-h", sam, settings)
    assert not (settings.models / "sam-vit-h").exists()
    stand_in(monkeypatch, "sam2.1-tiny", sam2)
    status = modelling.add_model("sam2.1-tiny", sam2, settings)
    assert status.on_disk
    assert isinstance(registry.load_segmenter("sam2.1-tiny", settings), Sam2Segmenter)


def test_names_are_shared_by_encoders_and_segmenters(settings, sam, tmp_path):
    clip = write_transformers_checkpoint(tmp_path / "clip")
    modelling.add_model("eyes", clip, settings)
    modelling.add_model("mask", sam, settings)
    for name, path in (("eyes", sam), ("mask", clip)):
        with pytest.raises(InputError, match="already"):
            modelling.add_model(name, path, settings)
    kinds = {model.name: model.kind for model in modelling.list_models(settings)}
    assert (kinds["eyes"], kinds["mask"]) == ("clip", "segmenter")
    with pytest.raises(NotFoundError):
        encoders.describe("mask", settings)
    with pytest.raises(NotFoundError):
        registry.describe("eyes", settings)
    assert "mask" not in [model.name for model in encoders.list_models(settings)]
    assert "eyes" not in registry.names(settings)
    for name in ("eyes", "mask"):
        assert [result.name for result in modelling.verify_models(settings, name)] == [name]


def test_what_is_no_model_is_told_and_leaves_nothing(settings, sam, tmp_path):
    with pytest.raises(NotFoundError, match=r"sam2\.1-tiny.*sam-vit-h"):
        modelling.pull_model("sam-vit-x", settings)
    with pytest.raises(NotFoundError, match="no segmenter sam-vit-x"):
        registry.load_segmenter("sam-vit-x", settings)
    with pytest.raises(NotFoundError):
        modelling.verify_models(settings, "sam-vit-x")
    with pytest.raises(NotFoundError):
        modelling.add_model("mine", tmp_path / "none.pth", settings)
    for name in ("Groß", "../up", "a b", "starter"):
        with pytest.raises(InputError):
            modelling.add_model(name, sam, settings)
    broken = tmp_path / "broken.pth"
    broken.write_bytes(sam.read_bytes()[:5000])
    with pytest.raises(WeightsError):
        modelling.add_model("mine", broken, settings)
    assert not list(settings.models.glob(f"*/{CARD}"))


def test_sam2_tiny_is_taken_where_it_is_on_disk(settings, sam2, monkeypatch):
    assert registry.choose_default(settings) == "starter"
    stand_in(monkeypatch, "sam2.1-tiny", sam2)
    modelling.add_model("sam2.1-tiny", sam2, settings)
    assert registry.choose_default(settings) == "sam2.1-tiny"
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "transformers" else real(name)
    )
    assert registry.choose_default(settings) == "starter"


def test_what_is_set_is_part_of_the_id(settings, sam):
    modelling.add_model("mine", sam, settings)
    plain = registry.describe("mine", settings)
    finer = registry.describe("mine", settings.model_copy(update={"sam_points": 24}))
    crops = registry.describe("mine", settings.model_copy(update={"sam_crops": 1}))
    assert plain.takes_prompts
    assert not plain.is_draft
    assert finer.id == f"{plain.id}-p24"
    assert crops.id == f"{plain.id}-c1"


def test_the_commands(tmp_path, served, sam2, monkeypatch):
    monkeypatch.setenv("FRAMEKEEP_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("FRAMEKEEP_OFFLINE")
    common.settings.cache_clear()

    def run(*args: str) -> str:
        result = CliRunner().invoke(app, ["models", *args])
        assert result.exit_code == 0, result.output or result.exception
        return result.stdout

    assert json.loads(run("pull", "sam-vit-b", "--json"))["on_disk"]
    assert "it finds objects" in run("add", "mine", str(sam2))
    kinds = {model["name"]: model["kind"] for model in json.loads(run("list", "--json"))}
    assert kinds["mine"] == kinds["sam2.1-large"] == kinds["starter"] == "segmenter"
    table = run("list").splitlines()
    assert any(line.split()[:2] == ["clip-vit-b-32", "encoder"] for line in table)
    assert any(line.split()[:2] == ["sam-vit-h", "segmenter"] for line in table)
    assert "mine: whole" in run("verify", "mine")
    (tmp_path / "models" / "mine" / "sam2.pt").write_bytes(b"x")
    assert CliRunner().invoke(app, ["models", "verify"]).exit_code == 1
    common.settings.cache_clear()


CHOOSING = """
import sys
from pathlib import Path
from framekeep import modelling
from framekeep.segmenters import registry
from framekeep.settings import Settings
settings = Settings(models=Path(sys.argv[1]))
modelling.list_models(settings)
registry.choose_default(settings)
registry.describe("mine", settings)
assert not {"torch", "transformers"} & set(sys.modules)
"""


def test_choosing_loads_neither_torch_nor_transformers(settings, sam):
    modelling.add_model("mine", sam, settings)
    done = subprocess.run(
        [sys.executable, "-c", CHOOSING, str(settings.models)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
