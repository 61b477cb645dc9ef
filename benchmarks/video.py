"""How fast films become searchable, beside the plain way of doing it, and how much memory it takes.

    python benchmarks/video.py            about four minutes on two cores
    python benchmarks/video.py --quick    a short film, nothing is judged

A film of one minute in 1080p H.264 with known cuts, and the same one twenty times over, are read by
(a) the plain way, which decodes every picture with OpenCV and encodes one each second, one at a
time, and by (b) framekeep, library and index included, both with the `starter` encoder and each in
a process of its own that is pinned to the same cores. The short film is read three times, by (b)
into a new library each time, and the median counts. A shot counts as seen where a picture taken
from within it was encoded. Loading the model and the libraries is left out everywhere. Exits with 1
where a bound is missed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

LEAST_RATIO = 4.0
MOST_MEMORY_GROWTH = 0.10
FPS = 25
SIZE_WH = (1920, 1080)
SHORTEST_S, LONGEST_S = 0.6, 5.0
DEMO_PHOTOS = Path(__file__).parents[1] / "src" / "framekeep" / "data" / "demo"


# Input


def make_film(path: Path, seconds: float, seed: int = 0) -> list[tuple[float, float]]:
    """Shots of demo photos, most of them panned over; gives where each starts and ends, in s."""
    import av
    import cv2

    rng = np.random.default_rng(seed)
    photos = [
        cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB) for p in DEMO_PHOTOS.glob("*.jpg")
    ]
    lengths: list[int] = []
    while sum(lengths) < seconds * FPS:
        lengths.append(round(rng.uniform(SHORTEST_S, LONGEST_S) * FPS))
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        film = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        film.width, film.height = SIZE_WH
        film.pix_fmt = "yuv420p"
        shots, done, former = [], 0, -1
        for length in lengths:
            which = int(rng.choice([n for n in range(len(photos)) if n != former]))
            former = which
            for frame in shot_frames(photos[which], length, rng):
                picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
                picture.pts, picture.time_base = done, Fraction(1, FPS)
                container.mux(film.encode(picture))
                done += 1
            shots.append(((done - length) / FPS, done / FPS))
        container.mux(film.encode())
    return shots


def shot_frames(photo: np.ndarray, length: int, rng: np.random.Generator) -> Any:
    """A photo as a camera shows it: three times out of four it moves across it."""
    import cv2

    height, width = photo.shape[:2]
    moves = rng.random() < 0.75
    zoom = max(SIZE_WH[0] / width, SIZE_WH[1] / height) * (1.15 if moves else 1.0)
    spare = np.array([width * zoom - SIZE_WH[0], height * zoom - SIZE_WH[1]])
    start, end = spare * rng.random(2), spare * rng.random(2)
    still = None
    for number in range(length):
        if still is None or moves:
            corner = start + (end - start) * (number / length)
            matrix = np.array([[zoom, 0, -corner[0]], [0, zoom, -corner[1]]])
            still = cv2.warpAffine(photo, matrix, SIZE_WH, flags=cv2.INTER_LINEAR)
        yield still


def repeat(source: Path, target: Path, times: int) -> None:
    """The same film so many times over, its packets copied."""
    import av

    with av.open(str(target), "w", options={"movflags": "+faststart"}) as out:
        copy, offset = None, 0
        for _ in range(times):
            with av.open(str(source)) as film:
                stream = film.streams.video[0]
                copy = copy or out.add_stream_from_template(stream)
                end = 0
                for packet in film.demux(stream):
                    if packet.dts is None:
                        continue
                    packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                    end = max(end, packet.pts + (packet.duration or 0))
                    packet.stream = copy
                    out.mux(packet)
                offset = end


# (a) the plain way


def plain(film: Path, _work: Path, rounds: int) -> dict[str, Any]:
    """Every picture decoded, one a second encoded, one at a time."""
    import cv2

    encoder = warm_encoder()
    seconds: list[float] = []
    peaks: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        capture = cv2.VideoCapture(str(film))
        rate = capture.get(cv2.CAP_PROP_FPS)
        vectors, times_s, number = [], [], 0
        while True:
            there, bgr = capture.read()
            if not there:
                break
            if number % round(rate) == 0:
                rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                vectors.append(encoder.encode_images([rgb])[0])
                times_s.append(number / rate)
            number += 1
        capture.release()
        seconds.append(time.perf_counter() - started)
        peaks.append(peak_mb())
    return {"seconds": seconds, "times_s": times_s, "peak_mb": peaks[0]}


# (b) framekeep


def ours(film: Path, work: Path, rounds: int) -> dict[str, Any]:
    """`library.add` of the same film."""
    from framekeep.library import Library

    encoder = warm_encoder()
    load_libraries()
    seconds: list[float] = []
    peaks: list[float] = []
    for number in range(rounds):
        with Library.open(work / f"library-{film.stem}-{number}", encoder) as library:
            list(library.add(min(DEMO_PHOTOS.glob("*.jpg"))))
            started = time.perf_counter()
            for event in library.add(film):
                if event.kind == "failed":
                    return {"error": event.reason}
            seconds.append(time.perf_counter() - started)
            times_s = list(library.frame_times(library.media_id(film)).values())
        peaks.append(peak_mb())
    return {"seconds": seconds, "times_s": times_s, "peak_mb": peaks[0]}


def load_libraries() -> None:
    """What reading films loads when it is first used."""
    for name in ("av", "cv2", "framekeep.media.shots"):
        importlib.import_module(name)


def warm_encoder() -> Any:
    """The starter encoder, loaded and run once."""
    from framekeep.encoders.registry import load_encoder
    from framekeep.settings import Settings

    encoder = load_encoder("starter", Settings())
    blank = np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8)
    encoder.encode_images([encoder.prepare(blank)] * encoder.batch_size)
    return encoder


def peak_mb() -> float:
    """The most memory this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


# The run


def measure(part: str, film: Path, work: Path, cores: list[int], rounds: int) -> dict[str, Any]:
    """Run one part in a process of its own; give its figures."""
    print(f"-- {part} {film.name}", file=sys.stderr, flush=True)
    environment = {**os.environ, "FRAMEKEEP_OFFLINE": "1", "FRAMEKEEP_THREADS": str(len(cores))}
    command = [sys.executable, __file__, "--part", part, "--work", str(work), "--film", str(film)]
    command += ["--rounds", str(rounds)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return {"error": f"exit status {done.returncode}"}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" not in figures:
        figures["rounds_s"] = sorted(figures["seconds"])
        figures["seconds"] = statistics.median(figures["seconds"])
    return figures


def recall(times_s: list[float], shots: list[tuple[float, float]]) -> float:
    """The share of shots from within which a picture was taken."""
    times = np.array(times_s)
    seen = [bool(((times >= start - 1e-3) & (times < end - 1e-3)).any()) for start, end in shots]
    return sum(seen) / len(seen)


def machine(cores: list[int]) -> str:
    """The machine in a line."""
    info = Path("/proc/cpuinfo").read_text()
    name = next((x.split(":")[1].strip() for x in info.splitlines() if "model name" in x), "?")
    return f"{name}, {len(cores)} cores, Python {platform.python_version()}"


def main() -> int:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--quick", action="store_true", help="10 seconds; judge nothing")
    parser.add_argument("--part", choices=("plain", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--film", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    if args.part:
        part = {"plain": plain, "ours": ours}[args.part]
        print(json.dumps(part(args.film, args.work, args.rounds)))
        return 0
    if args.quick:
        args.seconds, args.times = 10.0, 2
    cores = sorted(os.sched_getaffinity(0))[: args.cores]
    os.sched_setaffinity(0, cores)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        short, long = work / "short.mp4", work / "long.mp4"
        shots = make_film(short, args.seconds)
        repeat(short, long, args.times)
        results = {
            "plain": measure("plain", short, work, cores, args.rounds),
            "ours": measure("ours", short, work, cores, args.rounds),
            "plain long": measure("plain", long, work, cores, 1),
            "ours long": measure("ours", long, work, cores, 1),
        }
    missed = report(results, shots, args.times, cores)
    for line in missed:
        print(f"missed: {line}")
    if not missed:
        print("bounds held")
    return 0 if args.quick or not missed else 1


def report(
    results: dict[str, Any], shots: list[tuple[float, float]], times: int, cores: list[int]
) -> list[str]:
    """Print the figures; give the bounds that were missed."""
    failed = [f"{name}: {each['error']}" for name, each in results.items() if "error" in each]
    if failed:
        return failed
    length_s = shots[-1][1]
    long_shots = [(a + n * length_s, b + n * length_s) for n in range(times) for a, b in shots]
    print(f"machine      {machine(cores)}")
    print(f"film         {length_s:.1f} s of {SIZE_WH[0]} x {SIZE_WH[1]}, {len(shots)} shots")
    found = {}
    for name, each in results.items():
        is_long = name.endswith("long")
        found[name] = recall(each["times_s"], long_shots if is_long else shots)
        label = ("(a) plain" if name.startswith("plain") else "(b) framekeep") + (
            f", x {times}" if is_long else ""
        )
        span = length_s * (times if is_long else 1)
        print(
            f"{label:19} {each['seconds']:6.2f} s, {span / each['seconds']:5.1f} times as fast as "
            f"it plays, {len(each['times_s'])} pictures encoded, {found[name]:.3f} of the shots "
            f"seen, peak {each['peak_mb']:.0f} MB"
        )
    print(f"rounds       {rounds_text(results['plain'])} and {rounds_text(results['ours'])}")
    return judged(results, found)


def rounds_text(figures: dict[str, Any]) -> str:
    """Every round's seconds."""
    return ", ".join(f"{seconds:.2f}" for seconds in figures["rounds_s"]) + " s"


def judged(results: dict[str, Any], found: dict[str, float]) -> list[str]:
    """Print the ratios; give the bounds that were missed."""
    missed = []
    for end in ("", " long"):
        ratio = results[f"plain{end}"]["seconds"] / results[f"ours{end}"]["seconds"]
        print(f"ratio        {ratio:.2f}x{', of the long film' if end else ''}")
        if ratio < LEAST_RATIO:
            missed.append(f"(b) is below {LEAST_RATIO}x{end}")
        if found[f"ours{end}"] < found[f"plain{end}"]:
            missed.append(f"(b) sees fewer of the shots{end}")
    growth = results["ours long"]["peak_mb"] / results["ours"]["peak_mb"] - 1
    print(f"memory       {growth:+.1%} for the long film")
    if growth > MOST_MEMORY_GROWTH:
        missed.append(f"memory grows by more than {MOST_MEMORY_GROWTH:.0%}")
    return missed


if __name__ == "__main__":
    sys.exit(main())
