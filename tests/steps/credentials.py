"""Keys, proxy users and a service account that can be told from all other text, and connections
that hold them."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from devstack.connections import postgres_fields
from devstack.sandbox.server import Sandbox

# With letters that a URL, JSON or base64 writes differently.
KEYS = {
    "balldontlie": "bdl/key+that=nobody&may-see",
    "the_odds_api": "odds/key+that=nobody&may-see",
    "bigdataball": "drive-key-that-nobody-may-see",
}
WRONG_KEY = "wrong/key+that=nobody&may-see"
PASSWORDS = {
    "proxy-user-one": "one/password+that nobody may@see",
    "proxy-user-two": "two/password:that nobody may&see",
}
WRONG_PASSWORD = "wrong/password that nobody+may:see"
ONE, TWO = PASSWORDS
SCOPES = ("https://www.googleapis.com/auth/drive.readonly",)


def _private_key() -> str:
    form = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return (
        rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(*form).decode()
    )


PRIVATE_KEY = _private_key()
SECRETS = (
    *KEYS.values(),
    WRONG_KEY,
    *PASSWORDS,
    *(
        f"{user}:{password}"
        for user in PASSWORDS
        for password in (*PASSWORDS.values(), WRONG_PASSWORD)
    ),
    *PASSWORDS.values(),
    WRONG_PASSWORD,
    *PRIVATE_KEY.splitlines()[1:-1],
)


def proxy(sandbox: Sandbox, user: str, password: str = "") -> str:
    """The sandbox as a proxy of itself; the user is the address that it sees."""
    password = quote(password or PASSWORDS[user], safe="")
    return f"http://{user}:{password}@127.0.0.1:{sandbox.port}"


def broken_proxy(sandbox: Sandbox, how: str) -> str:
    """A proxy that ``refuses`` its password, or one that ``is dead``."""
    refused = proxy(sandbox, ONE, WRONG_PASSWORD)
    if how == "refuses":
        return refused
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return refused.replace(f":{sandbox.port}", f":{probe.getsockname()[1]}")


def key_file(sandbox: Sandbox) -> dict[str, str]:
    """A service account's key file, which signs in at the sandbox."""
    address = {"client_email": "a@b.example", "token_uri": f"{sandbox.base('bigdataball')}/token"}
    return {"type": "service_account", "private_key": PRIVATE_KEY, **address}


def connections(sandbox: Sandbox, ops_db: str) -> dict[str, dict[str, Any]]:
    """Airflow's connections of every source, sound ones, and of the operations database."""
    found: dict[str, dict[str, Any]] = {
        name: {"conn_type": "http", "host": sandbox.base(name), "password": KEYS.get(name)}
        for name in ("balldontlie", "the_odds_api", "nba_stats", "nba_cdn", "bigdataball")
    }
    for name in ("nba_stats", "nba_cdn"):
        found[name]["extra"] = {"proxies": [proxy(sandbox, user) for user in PASSWORDS]}
    found["bigdataball"] |= {"password": None, "extra": {"keyfile_dict": key_file(sandbox)}}
    return found | {"ops_db": postgres_fields(ops_db)}
