"""The unprivileged account that PostgreSQL runs under when we are root, and places that account can reach."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

OWNER_FILE = "data-directory.txt"
"""In a place outside a data directory, says which data directory it belongs to."""

_CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A system account."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account to give PostgreSQL, which refuses to run as root; None when we are an ordinary user.

    Raises:
        LookupError: We are root and the system has no ordinary account to use.
    """
    if os.geteuid() != 0:
        return None
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise LookupError(
        f"PostgreSQL does not run as root, and none of the accounts {', '.join(_CANDIDATES)} exists to run it under. "
        "Run as an ordinary user, add one of them, or set DEBUG_LOOP_POSTGRES_URL."
    )


def may(account: Account | None, test: str, path: Path) -> bool:
    """Whether the account passes `test` (`-x`, `-r`, `-w` of test(1)) on a path.

    The kernel is asked under that very account: mode bits alone miss the parents, ACLs and user namespaces.
    """
    if account is None:
        return os.access(path, {"-x": os.X_OK, "-r": os.R_OK, "-w": os.W_OK}[test])
    try:
        answer = subprocess.run(
            ["/bin/sh", "-c", f'test {test} "$1"', "sh", str(path)],
            cwd="/",
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            check=False,
        )
    except PermissionError as err:
        raise PermissionError(
            f"root may not become {account.name} here (a restricted container?). Run as an ordinary user, or set "
            "DEBUG_LOOP_POSTGRES_URL."
        ) from err
    return answer.returncode == 0


def make_private_directory(path: Path, account: Account | None) -> None:
    """Create a directory that only the account (and root) can enter; its existing parents are left as they are."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def shared_bases() -> list[Path]:
    """Directories of the system below which root can make a place that other accounts reach, longest lived first."""
    return [Path("/var/lib"), Path("/var/tmp"), Path(tempfile.gettempdir())]  # noqa: S108 - only directories of ours below


def reachable_directory(account: Account, name: str, bases: Sequence[Path] | None = None) -> Path:
    """Make (or find) `<base>/debug-loop/<name>`, owned by us, that the account can traverse.

    Raises:
        PermissionError: There is none.
    """
    for base in shared_bases() if bases is None else bases:
        parent = base / "debug-loop"
        try:
            if not base.is_dir():
                continue
            parent.mkdir(mode=0o755, exist_ok=True)
            # In a directory that anyone may write to, somebody else could have put the name there first.
            if parent.is_symlink() or parent.stat().st_uid != os.geteuid():
                continue
            place = parent / name
            place.mkdir(mode=0o755, exist_ok=True)
            place.chmod(0o755)
            parent.chmod(0o755)
        except OSError:
            continue
        if may(account, "-x", place):
            return place
    raise PermissionError(
        f"the account {account.name} can reach neither the data directory nor a place under "
        f"{', '.join(map(str, shared_bases()))}. Set DEBUG_LOOP_DATA_DIR to a directory it can traverse."
    )


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory so that the target is complete or absent, also when two processes do it at once."""
    if target.exists():
        return
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        shutil.copytree(source, scratch / "tree", symlinks=True)
        os.chmod(scratch / "tree", 0o755)  # noqa: S103 - programs and libraries, no data
        try:
            (scratch / "tree").rename(target)
        except OSError:
            if not target.exists():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def orphaned_homes(bases: Sequence[Path] | None = None) -> list[Path]:
    """Places that `choose_home` of PostgreSQL made for data directories that no longer exist."""
    return [
        note.parent
        for base in (shared_bases() if bases is None else bases)
        for note in (base / "debug-loop").glob(f"*/{OWNER_FILE}")
        if not Path(note.read_text(encoding="utf-8").strip()).exists()
    ]
