from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from swarmage.broker.entrance.tls import server_context
from swarmage.broker.server import BusServer
from swarmage.cli.certificates import make_certificate
from swarmage.home import CERTIFICATE, CERTIFICATE_KEY
from swarmage.settings import Address

from .fakes import KEY, SECONDS, FakeClock
from .seeds import SEED


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if not report.failed:
        report.sections.clear()  # nobody reads them, and some hold what cannot be sent between processes
    else:
        report.sections.append(("seed", f"replay random tests with SWARMAGE_SEED={SEED}"))
    return report


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state folder with the key the tests sign with; nothing else of the machine is seen."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    (folder / "key").write_text(KEY.hex())
    (folder / "key").chmod(0o600)
    monkeypatch.setenv("SWARMAGE_HOME", str(folder))
    monkeypatch.delenv("SWARMAGE_URL", raising=False)
    monkeypatch.delenv("SWARMAGE_KEY_FILE", raising=False)
    monkeypatch.delenv("SWARMAGE_CA_FILE", raising=False)
    return folder


class EmbeddedBus:
    """The real bus, in memory, in a thread with an event loop of its own."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        users_file: Path | None = None,
        others: Mapping[str, str] | None = None,
    ) -> None:
        self._tls = tls
        users = {"ann": "s3cret", **(others or {})}
        self._server = BusServer(host="127.0.0.1", port=0, data=None, users=users, users_file=users_file, tls=tls)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="embedded bus")
        self._thread.start()
        assert self._ready.wait(SECONDS)

    async def _serve(self) -> None:
        await self._server.start()
        self._ready.set()
        await self._server.serve()

    @property
    def address(self) -> Address:
        return Address(port=self._server.port, login="ann", passcode="s3cret", tls=self._tls is not None)

    @property
    def url(self) -> str:
        return self.address.url

    def stop(self) -> None:
        self._server.stop()
        self._thread.join(SECONDS)
        assert not self._thread.is_alive()


@pytest.fixture
def embedded_bus(home: Path) -> Iterator[EmbeddedBus]:
    bus = EmbeddedBus()
    yield bus
    bus.stop()


@pytest.fixture(scope="session")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate for bus.example and this machine, and the CA that signed it."""
    folder = tmp_path_factory.mktemp("certified")
    make_certificate(folder, ["bus.example"])
    return folder


@pytest.fixture
def tls(certified: Path) -> ssl.SSLContext:
    return server_context(certified / CERTIFICATE, certified / CERTIFICATE_KEY)


@pytest.fixture
def encrypted_bus(home: Path, tls: ssl.SSLContext) -> Iterator[EmbeddedBus]:
    bus = EmbeddedBus(tls)
    yield bus
    bus.stop()
