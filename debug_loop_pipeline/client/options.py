"""The logger's options as the environment gives them, without the libraries that `settings` needs.

`settings.Settings.logger` reads the same variables into the same class; a value that does not fit is an error there and a warning here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from debug_loop_pipeline.models.logger_options import LoggerOptions

_PREFIX = "DEBUG_LOOP_LOGGER__"
_DATA_DIR = "DEBUG_LOOP_DATA_DIR"
_DEFAULT_DIRECTORY = ".debug-loop"
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on", "t", "y"}), frozenset({"0", "false", "no", "off", "f", "n"})


def options_from_environment(warn: Callable[[str], None]) -> LoggerOptions:
    """The options; a variable whose value does not fit is warned of and left at its default."""
    given = {name.upper(): value for name, value in os.environ.items() if name.upper().startswith(_PREFIX)}
    chosen: dict[str, Any] = {}
    for option in fields(LoggerOptions):
        value = given.get(_PREFIX + option.name.upper())
        if value is None:
            continue
        try:
            chosen[option.name] = _parsed(value.strip().lower(), option.default, option.metadata)
        except ValueError as error:
            warn(f"{_PREFIX}{option.name.upper()}={value!r} is not used: {error}")
    return LoggerOptions(**chosen)


def data_directory(given: str | os.PathLike[str] | None) -> Path:
    """Where the spool lies: given, or by the environment, or the default of every command."""
    path = Path(given or os.environ.get(_DATA_DIR) or _DEFAULT_DIRECTORY)
    try:
        return path.expanduser().absolute()
    except (
        OSError,
        RuntimeError,
    ):  # the working directory is gone, or there is no home: what is written there fails, and is counted
        return path


def _parsed(value: str, default: object, bounds: Any) -> bool | int | float:
    if isinstance(default, bool):
        if value in _TRUE or value in _FALSE:
            return value in _TRUE
        raise ValueError("neither true nor false")
    number = int(value) if isinstance(default, int) else float(value)
    if not (number >= bounds.get("ge", number) and ("gt" not in bounds or number > bounds["gt"])):
        raise ValueError("out of its bounds")
    return number
