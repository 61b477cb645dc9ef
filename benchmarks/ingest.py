"""How fast photos become searchable, beside the plain way of doing it.

    python benchmarks/ingest.py            the full run, about ten minutes on two cores
    python benchmarks/ingest.py --quick    a few photos, nothing is judged

On the same photos, with the same random ViT-B/32 weights, each in a process of its own that is
pinned to the same cores: (a) the plain way, see `plain`; (b) framekeep in fp32; (c) framekeep in
each faster precision this machine has, of which the fastest counts. Loading a model is left out
everywhere. Exits with 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

LEAST_RATIO_FP32, LEAST_RATIO_FASTEST = 3.5, 6.0
LEAST_COSINE = 0.999
MOST_MEMORY_GROWTH = 0.10
SIZES_WH = [(4000, 3000), (3000, 4000), (4032, 3024), (4240, 2832)]
MODEL = "bench-vit-b-32"
PRECISIONS = ("bf16", "int8")
DEMO_PHOTOS = Path(__file__).parents[1] / "src" / "framekeep" / "data" / "demo"


# Input


def make_photos(folder: Path, count: int) -> None:
    """Write `count` JPEGs of 12 megapixels, 2 to 6 MB each, from the demo photos."""
    folder.mkdir()
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(make_photo, [folder / f"{i:04}.jpg" for i in range(count)], range(count)))


def make_photo(path: Path, seed: int) -> None:
    """One photo: two demo photos blended and enlarged, with noise, at a camera's quality."""
    rng = np.random.default_rng(seed)
    sources = sorted(DEMO_PHOTOS.glob("*.jpg"))
    size_wh = SIZES_WH[seed % len(SIZES_WH)]
    layers = []
    for source in rng.choice(len(sources), 2, replace=False):
        with Image.open(sources[source]) as image:
            width, height = image.size
            left, top = rng.integers(0, width // 4), rng.integers(0, height // 4)
            box = (left, top, left + width * 3 // 4, top + height * 3 // 4)
            layers.append(image.convert("RGB").resize(size_wh, Image.Resampling.BICUBIC, box))
    blended = np.asarray(Image.blend(*layers, float(rng.uniform(0, 0.35))), np.int16)
    tile = rng.normal(0, rng.uniform(3, 8), (512, 512, 1)).astype(np.int16)
    repeats = (-(-size_wh[1] // 512), -(-size_wh[0] // 512), 1)
    noise = np.tile(tile, repeats)[: size_wh[1], : size_wh[0]]
    noisy = np.clip(blended + noise, 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(path, quality=int(rng.integers(88, 95)))


def make_copies(photos: Path, folder: Path, count: int) -> None:
    """`count` files of different content that cost as much to decode: each gets a JPEG comment."""
    folder.mkdir()
    originals = sorted(photos.glob("*.jpg"))
    for i in range(count):
        data = originals[i % len(originals)].read_bytes()
        comment = f"copy {i:06}".encode()
        segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
        (folder / f"{i:06}.jpg").write_bytes(data[:2] + segment + data[2:])


def make_weights(folder: Path) -> None:
    """Random ViT-B/32 weights as the hub keeps them, spread so that pictures differ."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    model = CLIPModel(CLIPConfig()).eval()
    model.save_pretrained(folder)


# (a) the plain way


def plain(work: Path) -> dict[str, Any]:
    """Full decode, one picture at a time through transformers' fp32 model, one `add` each."""
    import chromadb
    import torch
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = CLIPModel.from_pretrained(work / "weights").eval()
    processor = CLIPImageProcessorPil()
    client = chromadb.PersistentClient(str(work / "plain"))
    collection = client.create_collection("photos", metadata={"hnsw:space": "cosine"})

    def embed(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            inputs = processor(images=image.convert("RGB"), return_tensors="pt")
        with torch.inference_mode():
            found = model.get_image_features(**inputs)
        features = getattr(found, "pooler_output", found)
        return (features / features.norm(dim=-1, keepdim=True))[0].numpy()

    paths = sorted((work / "photos").glob("*.jpg"))
    embed(paths[0])
    vectors = []
    started = time.perf_counter()
    for path in paths:
        vector = embed(path)
        collection.add(ids=[path.name], embeddings=[vector], metadatas=[{"path": str(path)}])
        vectors.append(vector)
    seconds = time.perf_counter() - started
    np.save(work / "plain.npy", np.stack(vectors))
    return {"files": len(paths), "seconds": seconds, "peak_mb": peak_mb()}


# (b), (c) framekeep


def open_library(work: Path, folder: str, precision: str) -> Any:
    """A library whose encoder is loaded and has run once, so that loading is not measured."""
    import framekeep
    from framekeep.library import Library
    from framekeep.settings import Settings

    if precision == "int8":
        # int8 is only allowed after its check on a library's own photos.
        with framekeep.open(work / folder, MODEL) as library:
            for _ in library.add(*sorted((work / "photos").glob("*.jpg"))[:60]):
                pass
            report = library.check_precision("int8", sample=50)
            print(f"   int8 check: {report}", file=sys.stderr)
            for _ in library.use_encoder(MODEL, "int8"):
                pass
        library = Library.open(work / folder)
    else:
        library = Library.open(work / folder, MODEL, settings=Settings(precision=precision))
    encoder = library.encoder
    side = encoder.decode_side_px
    encoder.encode_images([np.zeros((side, side, 3), np.uint8)] * encoder.batch_size)
    return library


def ours(work: Path, precision: str) -> dict[str, Any]:
    """`library.add` over the same photos."""
    with open_library(work, f"library-{precision}", precision) as library:
        before = library.status().media
        started = time.perf_counter()
        for event in library.add(work / "photos"):
            counts = event.counts
        seconds = time.perf_counter() - started
        timings = library.timings
        hits = {
            path.name: library.search(where=f'name:"{path.name}"', limit=1)[0].media_id
            for path in sorted((work / "photos").glob("*.jpg"))
        }
        vectors = library._catalog.get_vectors(library.info.space, list(hits.values()))
    by_id = dict(zip(*vectors, strict=True))
    ours_rows = np.stack([by_id[media_id] for media_id in hits.values()])
    cosines = (ours_rows * np.load(work / "plain.npy")).sum(1)
    return {
        "files": counts.indexed,
        "already_there": before,
        "seconds": seconds,
        "decode_s": timings.decode_s,
        "encode_s": timings.encode_s,
        "store_s": timings.store_s,
        "wait_s": timings.wait_s,
        "cosine_min": float(cosines.min()),
        "cosine_mean": float(cosines.mean()),
        "peak_mb": peak_mb(),
        "threads": library._settings.threads,
        "failed": counts.failed,
    }


def memory(work: Path, precision: str) -> dict[str, Any]:
    """Resident memory while many files are added, after 200 of them and at the end."""
    marks: dict[int, list[float]] = {}
    with open_library(work, "library-memory", precision) as library:
        for event in library.add(work / "copies"):
            if event.kind == "indexed":
                marks.setdefault(event.counts.indexed, []).append(resident_mb())
    done = max(marks)
    early = [mb for n, values in marks.items() if 100 < n <= 200 for mb in values]
    late = [mb for n, values in marks.items() if done - 100 < n for mb in values]
    return {
        "files": done,
        "mb_after_200": float(np.mean(early)) if early else None,
        "mb_at_end": float(np.mean(late)),
        "peak_mb": peak_mb(),
    }


def resident_mb() -> float:
    """Memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_mb() -> float:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


# The run


def measure(work: Path, cores: list[int], part: str, *args: str) -> dict[str, Any]:
    """Run one part in a process of its own on the same cores; give its figures."""
    print(f"-- {part} {' '.join(args)}", file=sys.stderr, flush=True)
    environment = {
        **os.environ,
        "FRAMEKEEP_MODELS": str(work / "models"),
        "FRAMEKEEP_OFFLINE": "1",
        "FRAMEKEEP_THREADS": str(len(cores)),
        "HF_HUB_OFFLINE": "1",
        "ANONYMIZED_TELEMETRY": "False",
    }
    command = [sys.executable, __file__, "--part", part, "--work", str(work), *args]
    os.sched_setaffinity(0, cores)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"error": f"exit status {done.returncode}"}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def run_part(args: argparse.Namespace) -> None:
    """The inside of `measure`."""
    work = Path(args.work)
    if args.part == "plain":
        figures = plain(work)
    elif args.part == "memory":
        figures = memory(work, args.precision)
    elif args.part == "model":
        from framekeep.encoders.registry import add_model
        from framekeep.settings import Settings

        add_model(MODEL, work / "weights" / "model.safetensors", Settings())
        figures = {}
    else:
        figures = ours(work, args.precision)
    print(json.dumps(figures))


def machine(cores: list[int]) -> str:
    """The machine in a line."""
    info = Path("/proc/cpuinfo").read_text()
    name = next((x.split(":")[1].strip() for x in info.splitlines() if "model name" in x), "?")
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "avx512_vnni") if flag in info]
    return f"{name}, {len(cores)} cores, {' '.join(flags)}, Python {platform.python_version()}"


def share_line(figures: dict[str, Any], cores: int) -> str:
    """Where the time went, as shares of the run's wall time."""
    wall = figures["seconds"]
    waiting = figures["wait_s"] or max(0.0, wall - figures["encode_s"] - figures["store_s"])
    decode = figures["decode_s"]
    return (
        f"encoding {figures['encode_s'] / wall:.0%}, storing {figures['store_s'] / wall:.0%}, "
        f"waiting for decoders {waiting / wall:.0%}; decoding beside it: {decode:.1f} thread "
        f"seconds, {decode / (wall * cores):.0%} of the threads' time"
    )


def report(results: dict[str, Any], cores: list[int], quick: bool) -> list[str]:
    """Print the figures; give the bounds that were missed."""
    base = results["plain"]
    rate = base["files"] / base["seconds"]
    print(f"machine      {machine(cores)}")
    print(f"(a) plain    {rate:6.2f} photos/s   1.00x   peak {base['peak_mb']:.0f} MB")
    missed = []
    ratios = {}
    for precision in ("fp32", *PRECISIONS):
        figures = results[precision]
        if "error" in figures:
            print(f"{precision:12} not available on this machine ({figures['error']})")
            continue
        own = figures["files"] / figures["seconds"]
        ratios[precision] = own / rate
        label = "(b)" if precision == "fp32" else "(c)"
        print(
            f"{label} {precision:8} {own:6.2f} photos/s {own / rate:6.2f}x   peak "
            f"{figures['peak_mb']:.0f} MB, cosine to (a) min {figures['cosine_min']:.6f} mean "
            f"{figures['cosine_mean']:.6f}"
        )
        print(f"             {share_line(figures, len(cores))}")
        if figures["failed"]:
            missed.append(f"{precision}: {figures['failed']} files failed")
    if ratios.get("fp32", 0) < LEAST_RATIO_FP32:
        missed.append(f"(b) is below {LEAST_RATIO_FP32}x")
    if results["fp32"].get("cosine_min", 0) < LEAST_COSINE:
        missed.append(f"(b) has a cosine below {LEAST_COSINE}")
    if max(ratios.values(), default=0) < LEAST_RATIO_FASTEST:
        missed.append(f"(c) is below {LEAST_RATIO_FASTEST}x")
    flat = results["memory"]
    if flat.get("mb_after_200") is None:
        print(f"memory       {flat}")
        missed.append("memory was not measured")
    else:
        growth = flat["mb_at_end"] / flat["mb_after_200"] - 1
        print(
            f"memory       {flat['mb_after_200']:.0f} MB after 200 files, {flat['mb_at_end']:.0f} "
            f"MB after {flat['files']} ({growth:+.1%}), peak {flat['peak_mb']:.0f} MB"
        )
        if growth > MOST_MEMORY_GROWTH:
            missed.append(f"memory grows by more than {MOST_MEMORY_GROWTH:.0%}")
    return [] if quick else missed


def main() -> int:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--memory-files", type=int, default=2000)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="12 photos; judge nothing")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--keep", type=Path, help="keep the made photos here, and use them again")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--precision", default="fp32", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        run_part(args)
        return 0
    if args.quick:
        args.files, args.memory_files = 12, 24
    cores = sorted(os.sched_getaffinity(0))[: args.cores]
    work = Path(tempfile.mkdtemp(prefix="framekeep-bench-"))
    try:
        results = run_all(work, cores, args)
    finally:
        shutil.rmtree(work)
    if args.json:
        args.json.write_text(json.dumps(results, indent=2))
    missed = report(results, cores, args.quick)
    for line in missed:
        print(f"MISSED: {line}")
    return 1 if missed else 0


def run_all(work: Path, cores: list[int], args: argparse.Namespace) -> dict[str, Any]:
    """Make the input and measure every part, in one run."""
    print(f"-- making {args.files} photos of 12 megapixels", file=sys.stderr, flush=True)
    made = (args.keep / f"photos-{args.files}") if args.keep else work / "made"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        make_photos(made, args.files)
    (work / "photos").symlink_to(made.resolve())
    make_weights(work / "weights")
    results = {"model": measure(work, cores, "model"), "plain": measure(work, cores, "plain")}
    for precision in ("fp32", *PRECISIONS):
        results[precision] = measure(work, cores, "ours", "--precision", precision)
    make_copies(work / "photos", work / "copies", args.memory_files)
    results["memory"] = measure(work, cores, "memory", "--precision", "fp32")
    return results


if __name__ == "__main__":
    sys.exit(main())
