"""docker-compose.yaml as a program reads it: variables put in, one Container a service."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yaml"
DOCKERFILE = ROOT / "Dockerfile"

# $$ | ${NAME:?what to do} | ${NAME:-default}
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?::([?-])([^}]*))?\})")


class Missing(ValueError):
    """A variable that must have a value has none."""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A service as it is started: ``command`` in the exec form, ``check`` what its health check
    runs, ``volumes`` folder inside -> name of the volume or file outside, ``configs`` file inside
    -> its text."""

    name: str
    image: str
    command: Sequence[str]
    environment: Mapping[str, str]
    check: Sequence[str]
    volumes: Mapping[str, str]
    configs: Mapping[str, str]


def put_in(text: str, variables: Mapping[str, str]) -> str:
    """The text with values for its variables, as compose puts them in. Raises Missing."""

    def value(found: re.Match[str]) -> str:
        dollar, name, sign, rest = found.groups()
        if dollar:
            return "$"
        if known := variables.get(name, ""):
            return known
        if sign == "-":
            return rest
        raise Missing(f"{name} has no value: {rest}")

    return _VARIABLE.sub(value, text)


def put_in_all(tree: Any, variables: Mapping[str, str]) -> Any:
    """As ``put_in``, in every text of a tree of lists and mappings."""
    if isinstance(tree, str):
        return put_in(tree, variables)
    if isinstance(tree, list):
        return [put_in_all(each, variables) for each in tree]
    if isinstance(tree, dict):
        return {key: put_in_all(each, variables) for key, each in tree.items()}
    return tree


def read(path: Path = FILE) -> dict[str, Any]:
    """The file's tree, its anchors resolved, its variables not."""
    return dict(yaml.safe_load(path.read_text()))


def containers(tree: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Container]:
    """Every service of the file, of profiles too. Raises Missing."""
    services = put_in_all(tree["services"], variables)
    image = image_environment()
    found = {}
    # Each with the files that compose puts into it: volumes, secrets, texts of its own.
    for name, service in services.items():
        ours = service["image"].startswith("nba-")
        volumes = dict(_split_volume(each) for each in service.get("volumes", ()))
        for secret in service.get("secrets", ()):
            volumes[f"/run/secrets/{secret}"] = tree["secrets"][secret]["file"]
        found[name] = Container(
            name=name,
            image=service["image"],
            command=service["command"],
            environment={
                **(image if ours else {}),
                **{key: str(value) for key, value in service.get("environment", {}).items()},
            },
            check=_check(service.get("healthcheck", {}).get("test", ())),
            volumes=volumes,
            configs=put_in_all(dict(_texts(service, tree)), variables),
        )
    return found


def image_environment(dockerfile: Path = DOCKERFILE) -> dict[str, str]:
    """The variables that our image sets."""
    return dict(re.findall(r"^ENV (\w+)=(\S+)$", dockerfile.read_text(), re.MULTILINE))


def _split_volume(text: str) -> tuple[str, str]:
    outside, inside = text.split(":")[:2]
    return inside, outside


def _texts(service: Mapping[str, Any], tree: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Files of a container whose text the compose file has itself."""
    for each in service.get("configs", ()):
        yield each["target"], tree["configs"][each["source"]]["content"]


def _check(test: Sequence[str]) -> Sequence[str]:
    """A health check in the exec form: CMD names a program, CMD-SHELL a line of the shell."""
    if test and test[0] == "CMD-SHELL":
        return ["/bin/sh", "-c", test[1]]
    return test[1:]
