"""An upstream as its connection describes it, and the one request that a Get and its values make of
it. No network."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from include.errors import ErrorClass, Problem, storable
from include.http.addresses import Address, addresses
from include.redact import Redactor, proxy_secrets
from include.sources.spec import Get, HeaderKey, QueryKey, ServiceAccount


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """Where a connection leads and how it is let in.

    ``name`` is the connection's id and the limiter's name, ``proxies`` are URLs with their
    credentials, ``token`` gives a ServiceAccount's current access token (asked for every request;
    raises Problem). Its repr holds no secret.
    """

    name: str
    base_url: str
    key: str | None = field(default=None, repr=False)
    auth: HeaderKey | QueryKey | ServiceAccount | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    proxies: tuple[str, ...] = field(default=(), repr=False)
    token: Callable[[], str] | None = field(default=None, repr=False)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where its requests leave from, and by which limiters."""
        return addresses(self.name, self.proxies, keyed=self.auth is not None)


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request, ready to be sent; ``cost`` is the most credits it can cost (0: free)."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    shown_url: str
    cost: int
    redactor: Redactor


def prepare(upstream: Upstream, get: Get, values: Mapping[str, str]) -> Request:
    """The Get filled from ``values`` and signed. Parameters keep the Get's order: stats.nba.com
    minds it.

    Raises Problem(INTERNAL) for a ``{name}`` without a value, Problem(SCHEMA_DRIFT) for one that
    would lead to another path, Problem(BAD_KEY) where the connection lacks a key.
    """
    values = {name: storable(value) for name, value in values.items()}
    path = _fill(
        get.path, {name: quote(value, safe="") for name, value in values.items()}, upstream
    )
    # An id of the upstream's own: a segment of it must not be one of those that a URL folds away.
    folded = [segment for segment in path.lstrip("/").split("/") if segment in ("", ".", "..")]
    if folded and path.strip("/"):
        raise Problem(
            error_class=ErrorClass.SCHEMA_DRIFT,
            message=(
                f"{get.path!r} was given a value that leads to another path ({path!r}): compare the"
                " listing with its parser"
            ),
            source=upstream.name,
        )
    params = {name: _fill(value, values, upstream) for name, value in get.params.items()}
    cost = get.cost(params) if get.cost else 0
    signed, secrets = _sign(upstream)
    if isinstance(upstream.auth, QueryKey):
        params |= signed
    query = f"?{urlencode(params)}" if params else ""
    url = f"{upstream.base_url.rstrip('/')}/{path.lstrip('/')}{query}"
    redactor = Redactor(
        [*secrets, *(part for proxy in upstream.proxies for part in proxy_secrets(proxy))]
    )
    headers = dict(upstream.headers) | ({} if isinstance(upstream.auth, QueryKey) else signed)
    return Request(
        url=url, headers=headers, shown_url=redactor.url(url), cost=cost, redactor=redactor
    )


def _sign(upstream: Upstream) -> tuple[dict[str, str], list[str]]:
    """The parameter or header that lets us in, and the secrets in it."""
    match upstream.auth:
        case None:
            return {}, [upstream.key] if upstream.key else []
        case ServiceAccount():
            if upstream.token is None:
                raise _no_key(
                    upstream, "has no service account: put its key file's JSON into the extra"
                )
            token = upstream.token()
            return {"Authorization": f"Bearer {token}"}, [token]
        case HeaderKey(name=name) | QueryKey(name=name):
            if not upstream.key:
                raise _no_key(upstream, "has no key: put it into the connection's password")
            if not (
                upstream.key.isascii() and upstream.key.isprintable() and " " not in upstream.key
            ):
                raise _no_key(
                    upstream,
                    "has a key with a space, line break or non-ASCII letter: paste it again",
                )
            return {name: upstream.key}, [upstream.key]


def _no_key(upstream: Upstream, what: str) -> Problem:
    return Problem(
        error_class=ErrorClass.BAD_KEY,
        message=f"connection {upstream.name} {what}",
        source=upstream.name,
    )


def _fill(template: str, values: Mapping[str, str], upstream: Upstream) -> str:
    names = {name for _, name, _, _ in string.Formatter().parse(template) if name is not None}
    if missing := sorted(names - values.keys()):
        raise Problem(
            error_class=ErrorClass.INTERNAL,
            message=(
                f"{template!r} needs a value for {', '.join(missing)}: correct the source's file"
            ),
            source=upstream.name,
        )
    return template.format_map(values)
