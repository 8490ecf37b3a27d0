"""A PostgreSQL server of the tests' own: a new cluster in a temporary folder, on a free port of this machine."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

PASSWORD = "s3cret@/:%$"
PR_SET_PDEATHSIG = 1
PATIENCE_S = 60


class Server:
    """A running server; `stop` ends it and removes all of it. It also ends when this process is killed."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.port = free_port()
        # The server refuses to run as root.
        self._user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        try:
            self._create()
            self._process = self._start()
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _create(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        if self._user is not None:
            os.chown(secret, self._user.pw_uid, self._user.pw_gid)
        options = ["--auth=scram-sha-256", "--username=reader", f"--pwfile={secret}", "--no-sync"]
        options += ["--encoding=UTF8", "--locale=C"]
        command = [program("initdb"), "-D", str(self.folder / "data"), *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **self._as_user())

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "port": self.port,
            "fsync": "off",
            "max_connections": 20,
            "timezone": "Asia/Kolkata",  # other than UTC, and other than this machine's
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("wb") as log:
            return subprocess.Popen(
                [program("postgres"), "-D", str(self.folder / "data"), *options],
                stdout=log,
                stderr=log,
                # After the change of user, which would undo it: whoever kills the tests kills the server.
                preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT),  # noqa: PLW1509
                **self._as_user(),
            )

    def _as_user(self) -> dict[str, object]:
        # A session of its own, so that Ctrl-C reaches the tests, and they stop the server.
        mine = {"cwd": self.folder, "start_new_session": True}
        if self._user is None:
            return mine
        return {**mine, "user": self._user.pw_uid, "group": self._user.pw_gid, "extra_groups": []}

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                self.connect().close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()) from None
                time.sleep(0.05)

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """Return a connection that commits each statement."""
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user="reader",
            password=PASSWORD,
            dbname="postgres",
            autocommit=True,
        )

    def url(
        self, user: str = "reader", password: str = "$PGTEST_PASSWORD", database: str = "postgres"
    ) -> str:
        """Return the URL as SQLAlchemy takes it; the environment holds the password."""
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server, by default as soon as it has cut its connections, and remove its folder."""
        process = getattr(self, "_process", None)
        if process is not None and process.poll() is None:
            process.send_signal(how)
            process.wait(PATIENCE_S)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def program(name: str) -> str:
    """Return the path of PostgreSQL's program `name`: Debian keeps them beside the PATH, a folder a version."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(map(str, reversed(folders))))
    assert found is not None, f"there is no {name}: make test-services installs PostgreSQL"
    return found
