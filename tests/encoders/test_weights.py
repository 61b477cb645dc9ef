"""CLIP's sources."""

from __future__ import annotations

from framekeep.encoders.weights import KNOWN


def test_every_known_source_is_pinned_and_encrypted(monkeypatch):
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    for model in KNOWN.values():
        assert model.sources
        for known in model.sources:
            assert known.address.startswith("https://")
            assert len(bytes.fromhex(known.sha256)) == 32


def test_the_hub_can_be_another(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/mirror/")
    address = KNOWN["clip-vit-b-32"].sources[0].address
    assert address.startswith("http://127.0.0.1:9/mirror/openai/clip-vit-base-patch32/")
