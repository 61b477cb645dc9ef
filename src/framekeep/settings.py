"""Settings from the environment (FRAMEKEEP_…) and one TOML file, read by library and faces only."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from framekeep.errors import InputError
from framekeep.film_types import FrameChoice

Engine = Literal["auto", "torch", "onnx"]
Precision = Literal["fp32", "bf16", "int8"]
Device = Literal["auto", "cpu", "cuda", "mps"]


def data_dir() -> Path:
    """Where libraries live by default."""
    return platformdirs.user_data_path("framekeep", appauthor=False)


def config_file() -> Path:
    """The settings file; it need not exist."""
    return platformdirs.user_config_path("framekeep", appauthor=False) / "config.toml"


class Settings(BaseSettings):
    """Everything a user can set without naming it on a command line."""

    model_config = SettingsConfigDict(env_prefix="FRAMEKEEP_", extra="ignore", frozen=True)

    library: Path = Field(default_factory=lambda: data_dir() / "library")
    models: Path = Field(
        default_factory=lambda: (
            platformdirs.user_cache_path("framekeep", appauthor=False) / "models"
        )
    )
    encoder: str | None = None
    engine: Engine = "auto"
    precision: Precision = "fp32"
    device: Device = "auto"
    sam_points: int | None = Field(default=None, ge=1, le=64)
    sam_crops: int = Field(default=0, ge=0, le=3)
    vectors: str | None = None
    offline: bool = False
    max_pixels: int = Field(default=250_000_000, gt=0)
    max_bytes: int = Field(default=1_000_000_000, gt=0)
    max_film_bytes: int = Field(default=200_000_000_000, gt=0)
    max_film_s: float = Field(default=86_400.0, gt=0)
    frames: str = "shots"
    frames_per_minute: int = Field(default=120, ge=1, le=3000)
    threads: int = Field(default_factory=lambda: max(1, min(8, os.cpu_count() or 1)), gt=0)
    lock_wait_s: float = Field(default=10.0, ge=0)
    thumbnails_max_bytes: int = Field(default=4_000_000_000, gt=0)
    app_roots: Annotated[tuple[Path, ...], NoDecode] = Field(default_factory=lambda: (Path.home(),))
    connect_timeout_s: float = Field(default=4.0, gt=0, le=10)

    @field_validator("frames")
    @classmethod
    def _check_frames(cls, value: str) -> str:
        """Which pictures of films are looked at: shots, keyframes or a step such as 2s."""
        FrameChoice.parse(value)
        return value

    @field_validator("app_roots", mode="before")
    @classmethod
    def _split_roots(cls, value: object) -> object:
        """Several folders in one variable stand with the system's separator between them."""
        return value.split(os.pathsep) if isinstance(value, str) else value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What is passed in wins over the environment, and that over the file."""
        file = TomlConfigSettingsSource(settings_cls, toml_file=config_file())
        return init_settings, env_settings, file


def load_settings() -> Settings:
    """The user's settings. Raises InputError that names what is wrong with which one."""
    try:
        return Settings()
    except ValidationError as exc:
        first = exc.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        raise InputError(
            f"FRAMEKEEP_{name.upper()} (or {name} in {config_file()}) cannot be used: "
            f"{first['msg'].lower()}."
        ) from exc
    except (OSError, ValueError) as exc:
        raise InputError(f"The settings file {config_file()} cannot be read: {exc}.") from exc


@cache
def no_telemetry() -> None:
    """Switch off what dependencies would send; called before any of them is imported."""
    os.environ["ANONYMIZED_TELEMETRY"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
