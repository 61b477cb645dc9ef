"""Column types of our own: paths that are no valid Unicode, instants with their zone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Text
from sqlalchemy.types import TypeDecorator

# Operating systems allow names that are no valid Unicode; Python shows their bytes as lone
# surrogates, which no database stores. They travel as private-use characters, one for one, so
# that prefixes and order stay as they are.
_TO_PRIVATE = {code: code + 0x100000 for code in range(0xD800, 0xE000)}
_FROM_PRIVATE = {private: code for code, private in _TO_PRIVATE.items()}


class PathText(TypeDecorator[str]):
    """A path or name as Python knows it, names that are not UTF-8 included."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Compare by code point everywhere, so that "under this folder" is a range."""
        collation = "C" if dialect.name == "postgresql" else None
        return dialect.type_descriptor(Text(collation=collation))

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else value.translate(_TO_PRIVATE)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """From the database."""
        return None if value is None else value.translate(_FROM_PRIVATE)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: kept in UTC, given back with its zone. A time without a zone is read as UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """To the database."""
        if value is None or value.tzinfo is None:
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """From the database."""
        return None if value is None else value.replace(tzinfo=UTC)
