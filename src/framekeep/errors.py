"""The errors framekeep raises on purpose.

::

    FramekeepError
    ├── InputError            what the caller gave cannot be used
    │   ├── MediaError        one file cannot be read as a picture
    │   │   └── UnsupportedMediaError   not a kind that framekeep indexes
    │   ├── FilterError       a --where expression does not parse
    │   └── NotFoundError     no such medium, tag, model or library
    ├── EncoderError          an encoder cannot be loaded or run
    │   ├── EncoderMismatchError   vectors of two encoders would be mixed
    │   └── PrecisionError    a precision is not available or not yet checked
    ├── SegmenterError        a segmenter cannot be loaded or run
    ├── WeightsError          weights are missing, damaged or of an unknown kind
    │   └── OfflineError      a connection was needed and is forbidden or impossible
    └── StoreError            the catalog or the index failed
        ├── LibraryLockedError     another process is writing
        └── IndexUnavailableError  the vector index cannot be reached

Every message is one sentence or two: what, where, and what to do.
"""

from __future__ import annotations


class FramekeepError(Exception):
    """Base of all errors raised by framekeep."""


class InputError(FramekeepError):
    """What the caller gave cannot be used."""


class MediaError(InputError):
    """One file cannot be read as a picture; the message is the reason shown to the user."""


class UnsupportedMediaError(MediaError):
    """The file is healthy as far as we know, but not of a kind that framekeep indexes."""


class FilterError(InputError):
    """A filter expression does not parse; the message points at the spot."""


class NotFoundError(InputError):
    """No such medium, tag, model or library."""


class EncoderError(FramekeepError):
    """An encoder cannot be loaded or run."""


class EncoderMismatchError(EncoderError):
    """Vectors of two encoders would be mixed."""


class PrecisionError(EncoderError):
    """A precision is not available here, or has not passed its check yet."""


class SegmenterError(FramekeepError):
    """A segmenter cannot be loaded or run."""


class WeightsError(FramekeepError):
    """Weights are missing, damaged or of an unknown kind."""


class OfflineError(WeightsError):
    """A connection was needed, and is forbidden or impossible."""


class StoreError(FramekeepError):
    """The catalog or the index failed."""


class LibraryLockedError(StoreError):
    """Another process is writing to this library."""


class IndexUnavailableError(StoreError):
    """The vector index cannot be opened or reached."""
