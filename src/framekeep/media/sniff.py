"""What a file is, by its first bytes."""

from __future__ import annotations

HEAD_BYTES = 512
_RAW_BRANDS = {b"crx "}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_MAGIC = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"FUJIFILMCCD-RAW", "raw"),
    (b"IIRO", "raw"),
    (b"IIRS", "raw"),
    (b"MMOR", "raw"),
    (b"IIU\0", "raw"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (b"\0\0\x01\0", "an icon"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"OggS", "video"),
    (b"\x00\x00\x01\xba", "video"),
    (b"\x00\x00\x01\xb3", "video"),
    (b"FLV", "video"),
    (b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02", "video"),
    (b"YUV4MPEG2 ", "video"),
    (b"DKIF", "video"),
    (b"ID3", "sound"),
    (b"\xff\xfb", "sound"),
    (b"fLaC", "sound"),
)
PICTURES = frozenset(["jpeg", "png", "gif", "bmp", "webp", "tiff", "heic", "avif", "raw"])
"""The names for what framekeep reads; any other name is a description of what it does not."""


_FILM_BOXES = (b"moov", b"mdat", b"wide", b"free", b"skip", b"styp", b"moof", b"pnot", b"uuid")
"""What a QuickTime or MP4 file without a brand begins with, after four bytes of length."""


def sniff(head: bytes) -> str | None:
    """A name out of `PICTURES`, "video", or what else it seems to be; None for unknown bytes."""
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[4:8] in _FILM_BOXES or _is_transport(head):
        return "video"
    if head[:4] == b"RIFF":
        return {b"WEBP": "webp", b"AVI ": "video", b"WAVE": "sound"}.get(head[8:12])
    if head[:2] == b"BM" and len(head) > 26 and head[14] in (12, 40, 52, 56, 64, 108, 124):
        return "bmp"
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return "raw" if name == "tiff" and head[8:10] == b"CR" else name
    if b"<svg" in head.lower():
        return "a vector drawing (SVG)"
    return "text" if _is_text(head) else None


def is_film(head: bytes) -> bool:
    """Whether a file's first bytes are a film's. Animated GIF and WebP begin as pictures do."""
    return sniff(head) == "video"


def _is_transport(head: bytes) -> bool:
    """MPEG transport streams have a sync byte at every 188th place; with time codes, 192nd."""
    return any(
        len(head) > at + 2 * step and all(head[at + i * step] == 0x47 for i in range(3))
        for at, step in ((0, 188), (4, 192))
    )


def _by_brand(head: bytes) -> str:
    size = min(max(int.from_bytes(head[:4], "big"), 16), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, size, 4))]
    if brands[0] in _RAW_BRANDS:
        return "raw"
    if any(brand in _AVIF_BRANDS for brand in brands):
        return "avif"
    if any(brand in _HEIF_BRANDS for brand in brands):
        return "heic"
    return "sound" if brands[0][:3] == b"M4A" else "video"


def _is_text(head: bytes) -> bool:
    if not head or b"\0" in head:
        return False
    try:
        head[:-4].decode("utf-8") if len(head) > 4 else head.decode("utf-8")
    except UnicodeDecodeError as exc:
        return exc.start > len(head) - 8 and exc.start > 0
    return True
