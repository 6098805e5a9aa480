"""Proxies in every form that people write them in, and the forms that are none."""

from __future__ import annotations

import pytest

from include.http.addresses import addresses
from include.http.proxies import BadProxies, read_proxies

ONE = "http://user:secret@one.example:8080"
TWO = "http://user:secret@two.example:8080"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (None, ()),
        ("", ()),
        ([], ()),
        ({}, ()),
        (ONE, (ONE,)),
        ([ONE, TWO], (ONE, TWO)),
        ((ONE, TWO), (ONE, TWO)),
        (f"{ONE}, {TWO}", (ONE, TWO)),
        (f"{ONE}\n{TWO}\n", (ONE, TWO)),
        ({"http": ONE, "https": ONE}, (ONE,)),
        ({"http": TWO, "https": ONE}, (ONE,)),
        ({"https": ONE}, (ONE,)),
        ({"all": ONE}, (ONE,)),
        ({"http": [TWO], "https": [ONE, TWO]}, (ONE, TWO)),
        ([{"http": ONE, "https": ONE}, {"http": TWO, "https": TWO}], (ONE, TWO)),
        ([ONE, TWO, ONE], (ONE, TWO)),
        ("user:secret@one.example:8080", (ONE,)),
        (["user:secret@one.example:8080", "user:secret@two.example:8080"], (ONE, TWO)),
        (["10.0.0.1:3128", "10.0.0.2:3128"], ("http://10.0.0.1:3128", "http://10.0.0.2:3128")),
        ("https://one.example", ("https://one.example",)),
        (f"{ONE}/", (ONE,)),
        ("http://us%40er:p@ss:w@one.example:1", ("http://us%40er:p%40ss%3Aw@one.example:1",)),
        ("http://user@one.example:1", ("http://user@one.example:1",)),
        ("http://[::1]:3128", ("http://[::1]:3128",)),
    ],
)
def test_proxies_are_understood(written: object, read: tuple[str, ...]) -> None:
    assert read_proxies(written, "https") == read


def test_an_upstream_of_plain_http_has_its_own_of_requests_two() -> None:
    assert read_proxies({"http": TWO, "https": ONE}, "http") == (TWO,)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (["http", "https"], "entry 1 has no host and port"),
        ([ONE, "one.example"], "entry 2 has no host and port"),
        ("http://", "entry 1 has no host and port"),
        ("one.example:8080:user:secret", "entry 1 has no host and port"),
        ("http://user:sec/ret@one.example:8080", "entry 1 has no host and port"),
        ("http://one.example:8080/path", "entry 1 has no host and port"),
        ("socks5://one.example:1080", "entry 1 is not an HTTP proxy"),
        ({"server": ONE, "username": "user"}, "'server' is not one of http, https and all"),
        ({"http": ONE}, "there is none for https, which this upstream is asked by"),
        ({"https": ""}, "there is none for https, which this upstream is asked by"),
        (7, "7 is not a proxy"),
        ([ONE, None, 7], "7 is not a proxy"),
    ],
)
def test_what_is_not_a_proxy_is_named_without_being_shown(written: object, why: str) -> None:
    with pytest.raises(BadProxies) as failed:
        read_proxies(written, "https")
    assert str(failed.value) == why


def test_proxies_without_schemes_have_a_limiter_and_a_health_each() -> None:
    found = addresses("nba_stats", read_proxies("one.example:1,two.example:1", "https"))
    assert len({address.name for address in found}) == 2
