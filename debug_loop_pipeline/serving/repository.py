"""The repository that a folder is a checkout of, as far as Git's own files tell. Starts no program."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

_REMOTE = re.compile(r"[/:]([^/:\s]+/[^/:\s]+?)(?:\.git)?/?$")


def repository_of_folder(folder: str | None) -> str | None:
    """`owner/name` of the remote `origin`; None where there is none or the folder is in no checkout."""
    if not folder or not Path(folder).is_absolute():
        return None
    for place in (Path(folder), *Path(folder).parents):
        git = place / ".git"
        try:
            if git.is_file():  # a worktree points at the repository's own folder
                pointed = Path(git.read_text(encoding="utf-8").partition("gitdir:")[2].strip())
                git = next((parent for parent in pointed.parents if parent.name == ".git"), pointed)
            if git.is_dir():
                return _origin((git / "config").read_text(encoding="utf-8", errors="replace"))
        except OSError:
            return None
    return None


def _origin(config: str) -> str | None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string("\n".join(line.strip() for line in config.splitlines()))
        url = parser.get('remote "origin"', "url", fallback=None)
    except configparser.Error:
        return None
    found = _REMOTE.search(url or "")
    return found[1] if found else None
