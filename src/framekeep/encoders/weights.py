"""CLIP's weights: the models that can be named, and where each one's file is to be had."""

from __future__ import annotations

from framekeep.weights import KnownModel, Progress, Source, fetch, reachable, sha256_of

__all__ = ["KNOWN", "KnownModel", "Progress", "Source", "fetch", "reachable", "sha256_of"]

OPENAI = "https://openaipublic.azureedge.net/clip/models"


def _openai(folder: str, file: str) -> Source:
    # OpenAI names the folder after the file's SHA-256.
    return Source(f"{OPENAI}/{folder}/{file}", folder)


KNOWN = {
    model.name: model
    for model in (
        KnownModel(
            "clip-vit-b-32",
            512,
            605_000_000,
            "quick and good; the default",
            (
                Source(
                    "hub:openai/clip-vit-base-patch32/resolve/"
                    "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268/pytorch_model.bin",
                    "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
                ),
                Source(
                    "hub:timm/vit_base_patch32_clip_224.openai/resolve/"
                    "a6f597a30f7b82c51704746581f9a4e41421e878/open_clip_model.safetensors",
                    "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
                ),
                _openai(
                    "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
                    "ViT-B-32.pt",
                ),
            ),
        ),
        KnownModel(
            "clip-vit-b-16",
            512,
            599_000_000,
            "finer detail, four times the work",
            (
                Source(
                    "hub:openai/clip-vit-base-patch16/resolve/"
                    "57c216476eefef5ab752ec549e440a49ae4ae5f3/pytorch_model.bin",
                    "ec89c7b09c749a60aae3c9cd910516f24b58214a7df060b48962d14c469cfbf0",
                ),
                _openai(
                    "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
                    "ViT-B-16.pt",
                ),
            ),
        ),
        KnownModel(
            "clip-vit-l-14",
            768,
            1_711_000_000,
            "the best at 224 pixels, wants a GPU",
            (
                Source(
                    "hub:openai/clip-vit-large-patch14/resolve/"
                    "32bd64288804d66eefd0ccbe215aa642df71cc41/model.safetensors",
                    "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
                ),
                _openai(
                    "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
                    "ViT-L-14.pt",
                ),
            ),
        ),
        KnownModel(
            "clip-vit-l-14-336",
            768,
            934_000_000,
            "the finest, wants a GPU",
            (
                _openai(
                    "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
                    "ViT-L-14-336px.pt",
                ),
            ),
        ),
    )
}
