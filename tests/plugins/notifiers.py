"""Notifiers as a team writes its own: one that writes what it is told to a file, one that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import BaseNotifier


class FileNotifier(BaseNotifier):
    """Appends each announcement to a file."""

    template_fields = ("text",)

    def __init__(self, path: str, text: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.text = text

    def notify(self, context: Any) -> None:
        with Path(self.path).open("a") as file:
            file.write(f"{self.text}\n")


class KilledAfterwards(FileNotifier):
    """Its process ends when it has told it."""

    def notify(self, context: Any) -> None:
        import os

        super().notify(context)
        os._exit(9)


class WebhookNotifier(BaseNotifier):
    """Raises with its webhook's path and its token in the error, as HTTP clients do."""

    def __init__(self, hooks: list[dict[str, str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hooks = hooks

    def notify(self, context: Any) -> None:
        path = self.hooks[0]["url"].partition("://")[2].partition("/")[2]
        said = f"{'x' * 180} url: /{path} by {self.hooks[0]['api_key']}"
        raise ConnectionError(said) from OSError(self.hooks[0]["url"])


class FailingNotifier(BaseNotifier):
    """Counts how often it was called, and raises each time."""

    def __init__(self, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.path = path

    def notify(self, context: Any) -> None:
        with Path(self.path).open("a") as file:
            file.write("called\n")
        raise ConnectionError("https://u:very-secret@hooks.example is away")
