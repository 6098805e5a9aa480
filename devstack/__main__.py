"""`python -m devstack up|down|status|demo|supervise`, which the Makefile's targets call."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from devstack.environment import home


def _options(recorded: str | None) -> list[str]:
    if not recorded:
        return []
    folder = Path(recorded).resolve()
    if not (folder / "manifest.json").is_file():
        raise SystemExit(f"RECORDED={recorded}: no manifest.json in {folder}")
    return ["--recorded", str(folder)]


def main() -> int:
    """Dispatches to the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m devstack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("up", "demo", "supervise"):
        command = commands.add_parser(name)
        command.add_argument(
            "--recorded", help="folder with a manifest.json: the sandbox serves these bodies"
        )
        if name == "demo":
            command.add_argument(
                "--sources", default="bdl_box_scores", help="comma-separated DAG ids, or all"
            )
    for name in ("down", "status"):
        commands.add_parser(name)
    args = parser.parse_args()
    at = home()
    if args.command == "supervise":
        from devstack.supervisor import supervise

        return supervise(at, _options(args.recorded))
    from devstack import control

    if args.command == "up":
        ready = control.up(at, _options(args.recorded))
        print(control.where(at, ready["ports"]))
        return 0
    if args.command == "down":
        print(f"stopped {control.down(at)} processes")
        return 0
    if args.command == "status":
        print(control.word_state(at))
        return 0
    from devstack.demo import demo

    return demo(at, _options(args.recorded), args.sources)


if __name__ == "__main__":
    sys.exit(main())
