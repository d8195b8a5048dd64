from __future__ import annotations

import builtins
import json
import ssl
import stat
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from swarmage.broker.entrance.users import read_users
from swarmage.cli.certificates import CA_DAYS, CERTIFICATE_DAYS, HERE, describe, make_certificate
from swarmage.cli.main import commands
from swarmage.errors import ConfigError

from ..fakes import KEY
from .fake_client import run


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def add(*argv: str, passcode: str | None = None) -> Result:
    from click.testing import CliRunner

    given = None if passcode is None else passcode + "\n"
    return CliRunner().invoke(commands, ["keys", "user", "add", *argv], input=given)


def test_a_certificate_is_for_the_names_given_and_this_machine(home: Path) -> None:
    result = run("keys", "tls", "bus.example", "192.0.2.7", "localhost")
    assert result.exit_code == 0
    said = describe(home / "tls.pem")
    assert said.names == ("bus.example", "192.0.2.7", *(name for name in ("localhost", *HERE[1:])))
    assert said.ends - said.begins < timedelta(CERTIFICATE_DAYS + 1)
    assert describe(home / "ca.pem").ends - said.begins > timedelta(CA_DAYS - 1)
    assert "SHA256" in result.stdout


def test_every_file_that_is_made_is_for_the_owner_alone(home: Path) -> None:
    run("keys", "tls", "bus.example")
    add("ann")
    made = {path.name: mode_of(path) for path in home.iterdir()}
    assert made == dict.fromkeys(("key", "ca.pem", "ca.key", "tls.pem", "tls.key", "users.json"), 0o600)


def test_the_ca_stays_when_the_certificate_is_made_again(home: Path) -> None:
    run("keys", "tls", "bus.example")
    before = {name: (home / name).read_text() for name in ("ca.pem", "ca.key", "tls.pem", "tls.key")}
    run("keys", "tls", "bus.example")
    changed = {name for name, text in before.items() if (home / name).read_text() != text}
    assert changed == {"tls.pem", "tls.key"}


def test_the_ca_vouches_for_the_certificate_and_for_nothing_more(home: Path) -> None:
    make_certificate(home, ["bus.example"])
    context = ssl.create_default_context(cafile=home / "ca.pem")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    (ca,) = context.get_ca_certs()
    assert ca["subject"] == ((("commonName", "swarmage CA"),),)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(home / "tls.pem", home / "tls.key")
    client = context.wrap_bio(incoming, outgoing, server_hostname="bus.example")
    server = server_side.wrap_bio(outgoing, incoming, server_side=True)
    for side in (client, server, client):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("name", ["", "a b", "über.example", "a..b", "*.example", "http://x"])
def test_what_is_no_name_gets_no_certificate(home: Path, name: str) -> None:
    result = run("keys", "tls", name)
    assert result.exit_code == 2
    assert not (home / "tls.pem").exists()


def test_a_ca_key_that_does_not_fit_is_not_used(home: Path, tmp_path: Path) -> None:
    make_certificate(home, [])
    make_certificate(tmp_path, [])
    (home / "ca.key").write_text((tmp_path / "ca.key").read_text())
    with pytest.raises(ConfigError, match="not the key of"):
        make_certificate(home, [])
    (home / "ca.key").write_text("nonsense")
    with pytest.raises(ConfigError, match="cannot be used"):
        make_certificate(home, [])


@pytest.fixture
def no_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("cryptography"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "swarmage.cli.certificates")
    monkeypatch.setattr(builtins, "__import__", without)


@pytest.mark.usefixtures("no_cryptography")
def test_without_cryptography_one_is_told_what_to_install(home: Path, certified: Path) -> None:
    result = run("keys", "tls", "bus.example")
    assert result.exit_code == 2
    assert "pip install swarmage[tls]" in result.stderr
    (home / "tls.pem").write_text((certified / "tls.pem").read_text())
    assert "fingerprint" in json.loads(run("keys", "show", "--json").stdout)["certificate"]


def test_show_tells_all_but_the_secrets(home: Path) -> None:
    empty = run("keys", "show").stdout
    assert "none; see `swarmage keys tls --help`" in empty
    assert "none but the first" in empty
    run("keys", "tls", "bus.example")
    passcode = add("ann").stdout.rpartition("passcode: ")[2].strip()
    text = run("keys", "show").stdout
    found = json.loads(run("keys", "show", "--json").stdout)
    assert found["users"] == ["ann"]
    assert found["certificate"]["names"][0] == "bus.example"
    assert found["certificate"]["fingerprint"] in text
    assert found["certificate"]["ends"] in text
    secrets = [KEY.hex(), passcode, read_users(home / "users.json")["ann"].passcode.scrypt, "PRIVATE KEY"]
    assert not [secret for secret in secrets if secret in text + json.dumps(found)]


def test_a_new_user_gets_a_passcode_that_is_told_once(home: Path) -> None:
    result = add("ann")
    passcode = result.stdout.rpartition("passcode: ")[2].strip()
    assert len(passcode) > 30
    assert read_users(home / "users.json")["ann"].passcode.fits(passcode)
    assert passcode not in (home / "users.json").read_text()
    assert passcode not in run("keys", "user", "list").stdout


def test_a_passcode_can_come_from_stdin(home: Path) -> None:
    result = add("ann", "--stdin", passcode="a passcode: of my own ")
    assert read_users(home / "users.json")["ann"].passcode.fits("a passcode: of my own ")
    assert "of my own" not in result.output


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("passcode", ["", "short"])
def test_a_passcode_that_is_easily_guessed_is_refused(passcode: str) -> None:
    assert add("ann", "--stdin", passcode=passcode).exit_code == 2


@pytest.mark.usefixtures("home")
def test_users_are_listed_with_their_rights() -> None:
    assert run("keys", "user", "list").stdout == "no users but the first\n"
    add("ann")
    add("shop", "--send", "/queue/orders", "--send", "/queue/mail")
    lines = [line.split("  ") for line in run("keys", "user", "list").stdout.splitlines()]
    assert [[cell.strip() for cell in line if cell] for line in lines] == [
        ["USER", "MAY SEND TO", "MAY SUBSCRIBE TO"],
        ["ann", "everything", "everything"],
        ["shop", "/queue/orders, /queue/mail", "nothing"],
    ]
    assert json.loads(run("keys", "user", "list", "--json").stdout)[1] == {
        "name": "shop",
        "send": ["/queue/orders", "/queue/mail"],
        "subscribe": [],
    }


@pytest.mark.usefixtures("home")
def test_a_user_is_removed_once() -> None:
    add("ann")
    assert run("keys", "user", "remove", "ann").stdout == "removed ann\n"
    result = run("keys", "user", "remove", "ann")
    assert (result.exit_code, result.stderr) == (2, "swarmage: there is no user 'ann'; see `swarmage keys user list`\n")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("argv", [["a\nb"], [""], ["ann", "--send", "orders"], ["ann", "--subscribe", ""]])
def test_what_is_no_user_is_refused(argv: list[str]) -> None:
    assert add(*argv).exit_code == 2
    assert run("keys", "user", "list").stdout == "no users but the first\n"


@pytest.mark.parametrize(
    "command", [["show"], ["tls"], ["user"], ["user", "add"], ["user", "list"], ["user", "remove"]]
)
def test_every_command_under_keys_shows_an_example(command: list[str]) -> None:
    assert "Example:\n      swarmage keys" in run("keys", *command, "--help").stdout.replace("    swarm", "      swarm")
