"""From names to encoders, with real checkpoints of random weights."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from framekeep.cli import common
from framekeep.cli.main import app
from framekeep.encoders import registry, weights
from framekeep.encoders.weights import KnownModel, Source
from framekeep.errors import InputError, NotFoundError, OfflineError, PrecisionError, WeightsError
from framekeep.settings import Settings
from tests.helpers.clip_weights import (
    transformers_config,
    write_open_clip_checkpoint,
    write_openai_checkpoint,
    write_transformers_checkpoint,
)
from tests.helpers.http import serving
from tests.helpers.no_socket import run_without_network


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(models=tmp_path / "models", offline=False)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub") / "model.safetensors"
    write_transformers_checkpoint(path)
    return path


@pytest.fixture
def served(checkpoint, monkeypatch):
    """The default model, served by a machine at hand instead of the hub."""
    content = checkpoint.read_bytes()
    with serving(files={"model.safetensors": content}) as served:
        source = Source(f"{served.url}/model.safetensors", hashlib.sha256(content).hexdigest())
        known = KnownModel("clip-vit-b-32", 32, len(content), "", (source,))
        monkeypatch.setitem(weights.KNOWN, "clip-vit-b-32", known)
        yield served


@pytest.mark.parametrize(
    "write",
    [write_transformers_checkpoint, write_open_clip_checkpoint, write_openai_checkpoint],
)
def test_any_dialect_can_be_added_and_used(settings, tmp_path, write):
    path = tmp_path / ("weights.pt" if write is write_openai_checkpoint else "w.safetensors")
    write(path)
    status = registry.add_model("mine", path, settings)
    assert (status.on_disk, status.dim, status.kind) == (True, 32, "clip")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert registry.describe("mine", settings).id == f"mine@{digest[:12]}/p1"
    path.unlink()
    encoder = registry.load_encoder("mine", settings)
    rows = encoder.encode_texts(["a cat"])
    assert rows.shape == (1, 32)
    assert np.isclose(np.linalg.norm(rows), 1, atol=1e-5)
    assert [model.name for model in registry.list_models(settings)][-1] == "mine"


def test_engines_give_the_same_vectors(tmp_path, checkpoint):
    pictures = [np.random.default_rng(0).integers(0, 255, (70, 90, 3), dtype=np.uint8)]
    found = {}
    for engine in ("torch", "onnx"):
        settings = Settings(models=tmp_path, engine=engine)
        if engine == "torch":
            registry.add_model("mine", checkpoint, settings)
        found[engine] = registry.load_encoder("mine", settings).encode_images(pictures)
    assert np.sum(found["torch"] * found["onnx"]) >= 0.9999


@pytest.mark.parametrize("name", ["starter", "Großes", "../up", "", "a b", "-x", "a/b"])
def test_odd_names_are_refused(settings, checkpoint, name):
    with pytest.raises(InputError):
        registry.add_model(name, checkpoint, settings)


def test_a_name_is_taken_once_and_a_known_one_is_kept_for_its_file(settings, checkpoint):
    registry.add_model("mine", checkpoint, settings)
    with pytest.raises(InputError, match="already"):
        registry.add_model("mine", checkpoint, settings)
    with pytest.raises(InputError, match="another name"):
        registry.add_model("clip-vit-b-32", checkpoint, settings)


def test_a_file_that_is_no_checkpoint_is_told_and_leaves_nothing(settings, tmp_path):
    path = tmp_path / "notes.safetensors"
    path.write_text("hello")
    with pytest.raises(WeightsError):
        registry.add_model("mine", path, settings)
    with pytest.raises(NotFoundError):
        registry.add_model("mine", tmp_path / "none.pt", settings)
    assert [m.name for m in registry.list_models(settings) if m.note == "added by you"] == []


def test_unknown_and_absent_models_are_told(settings):
    with pytest.raises(NotFoundError, match="no-such"):
        registry.describe("no-such", settings)
    with pytest.raises(WeightsError, match="models pull clip-vit-b-16"):
        registry.load_encoder("clip-vit-b-16", settings)
    with pytest.raises(PrecisionError):
        registry.load_encoder("starter", settings, precision="int8")


def test_the_default_is_fetched_where_it_can_be(settings, served):
    assert registry.choose_default(settings) == registry.DefaultChoice("clip-vit-b-32")
    assert registry.load_encoder("clip-vit-b-32", settings).dim == 32
    asked = len(served.requests)
    assert registry.choose_default(settings).name == "clip-vit-b-32"
    registry.pull("clip-vit-b-32", settings)
    assert len(served.requests) == asked


def test_the_starter_serves_where_clip_cannot_be_had(settings, served):
    served.files.clear()
    choice = registry.choose_default(settings)
    assert choice.name == "starter"
    assert "reached" in str(choice.sentence)
    assert "framekeep library encoder clip-vit-b-32" in str(choice.sentence)


def test_offline_is_respected(tmp_path, served):
    settings = Settings(models=tmp_path, offline=True)
    assert "FRAMEKEEP_OFFLINE" in str(registry.choose_default(settings).sentence)
    with pytest.raises(OfflineError):
        registry.pull("clip-vit-b-32", settings)
    assert served.requests == []


def test_verify_finds_damage(settings, served):
    registry.pull("clip-vit-b-32", settings)
    assert [result.ok for result in registry.verify(settings)] == [True, True]
    path = settings.models / "clip-vit-b-32" / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert [result.ok for result in registry.verify(settings)] == [True, False]
    (settings.models / "clip-vit-b-32" / registry.CARD).write_text("{")
    with pytest.raises(WeightsError, match="damaged"):
        registry.describe("clip-vit-b-32", settings)


def test_the_commands(tmp_path, checkpoint, served, monkeypatch):
    monkeypatch.setenv("FRAMEKEEP_MODELS", str(tmp_path / "models"))
    monkeypatch.delenv("FRAMEKEEP_OFFLINE")
    common.settings.cache_clear()

    def run(*args: str) -> object:
        result = CliRunner().invoke(app, ["models", *args, "--json"])
        assert result.exit_code == 0, result.output or result.exception
        return json.loads(result.stdout)

    assert run("pull", "clip-vit-b-32")["on_disk"]
    assert run("add", "mine", str(checkpoint))["dim"] == 32
    names = {model["name"]: model["on_disk"] for model in run("list")}
    assert names["starter"]
    assert names["clip-vit-b-32"]
    assert names["mine"]
    assert not names["clip-vit-l-14"]
    assert all(result["ok"] for result in run("verify"))
    (tmp_path / "models" / "mine" / "model.safetensors").write_bytes(b"x")
    assert CliRunner().invoke(app, ["models", "verify"]).exit_code == 1
    common.settings.cache_clear()


OFFLINE = """
from framekeep.cli.main import app
import sys
for command in (
    ["models", "list"], ["models", "verify"],
    ["demo", "--no-app", "--library", sys.argv[1]],
    ["search", "a cat", "--library", sys.argv[1]],
    ["repair", "--library", sys.argv[1]],
    ["add", sys.argv[2], "--library", sys.argv[1] + "-new"],
):
    app(command, standalone_mode=False)
loaded = {"torch", "transformers", "streamlit"} & set(sys.modules)
assert not loaded, loaded
"""


def test_offline_no_socket_is_opened_and_torch_is_not_loaded(tmp_path):
    demo = Path(__file__).parents[2] / "src" / "framekeep" / "data" / "demo"
    done = run_without_network(OFFLINE, tmp_path / "library", demo, FRAMEKEEP_OFFLINE="1")
    assert done.returncode == 0, done.stderr[-2000:]
    assert "starter encoder, because FRAMEKEEP_OFFLINE" in done.stderr


def test_nothing_is_sent_when_connections_are_allowed(tmp_path):
    demo = Path(__file__).parents[2] / "src" / "framekeep" / "data" / "demo"
    code = OFFLINE.replace('sys.argv[1] + "-new"', 'sys.argv[1] + "-new", "--encoder", "starter"')
    done = run_without_network(code, tmp_path / "library", demo, FRAMEKEEP_OFFLINE="0")
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_guard_notices_a_connection():
    done = run_without_network("import httpx; httpx.get('http://127.0.0.1:9/')")
    assert "network:" in done.stderr
    assert done.returncode != 0


def test_what_lies_beside_a_checkpoint_comes_along(settings, checkpoint):
    config = checkpoint.parent / "config.json"
    config.write_text(json.dumps(transformers_config()))
    registry.add_model("mine", checkpoint.parent, settings)
    assert (settings.models / "mine" / "config.json").read_text() == config.read_text()
