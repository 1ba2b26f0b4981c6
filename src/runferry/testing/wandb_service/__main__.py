"""Starts the stand-in by hand: `python -m runferry.testing.wandb_service --help`."""

from __future__ import annotations

import argparse
import re
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from runferry.errors import RunferryError
from runferry.testing.wandb_service.account import Account
from runferry.testing.wandb_service.faults import Faults, RateLimit, Trouble, TroubleKind
from runferry.testing.wandb_service.service import WandbService

UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "min": 60.0}
KINDS: tuple[TroubleKind, ...] = ("cut", "reset")


def seconds(text: str) -> float:
    """`19ms`, `0.5s`, `1min` or plain seconds."""
    found = re.fullmatch(r"([0-9.]+)(us|ms|s|min|)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; give 19ms, 0.5s or 1min")
    return float(found.group(1)) * UNITS[found.group(2)]


def rate_limit(text: str) -> RateLimit:
    """`200/60s`: so many requests in so long a time."""
    count, _, window = text.partition("/")
    if not count.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no limit; give REQUESTS/TIME, as 200/60s")
    return RateLimit(int(count), seconds(window or "1s"))


def trouble(text: str) -> Trouble:
    """`WHERE=KIND[xTIMES]`: KIND is an HTTP status, `cut` or `reset`."""
    where, _, rest = text.rpartition("=")
    kind, _, times = rest.partition("x")
    if where and kind.isdigit():
        status = int(kind)
        after = 1.0 if status == 429 else None
        return Trouble("status", where, int(times or 1), status=status, retry_after=after)
    for known in KINDS:
        if where and kind == known:
            return Trouble(known, where, int(times or 1))
    raise argparse.ArgumentTypeError(
        f"{text!r} is no trouble; give WHERE=KIND, as 'graphql:Runs=500x3' or 'storage:GET=cut'"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m runferry.testing.wandb_service",
        description="A stand-in for W&B's service on the loopback, for tests and benchmarks.",
    )
    add = parser.add_argument
    add("--port", type=int, default=0, help="where to listen; a free one if not given")
    add("--folder", type=Path, help="keeps what is uploaded; without it, it is gone in the end")
    add("--key", help="the API key that is good; a new one if not given")
    add("--latency", type=seconds, default=0.0, help="before each answer, as 19ms")
    add("--bandwidth", type=float, help="bytes a second of each body")
    add("--rate-limit", type=rate_limit, help="of GraphQL and file stream, as 200/60s")
    add("--stale-exports", action="store_true", help="the live rest of a history is missing")
    add("--shuffle-urls", action="store_true", help="URLs of exports change their order")
    add("--url-seconds", type=seconds, default=86_400.0, help="how long a signed URL is good")
    add("--url-uses", type=int, help="how often a signed URL is good")
    add("--export-when-finished", action="store_true", help="export a history when its run ends")
    add(
        "--trouble",
        type=trouble,
        action="append",
        default=[],
        metavar="WHERE=KIND[xTIMES]",
        help="a status, cut or reset, as 'graphql:Runs=500x3'; may be given again",
    )
    return parser


def service_of(arguments: argparse.Namespace) -> WandbService:
    """The service that the arguments ask for, not yet started."""
    faults = Faults(
        latency_seconds=arguments.latency,
        bytes_per_second=arguments.bandwidth,
        rate_limit=arguments.rate_limit,
        stale_exports=arguments.stale_exports,
        shuffled_urls=arguments.shuffle_urls,
        url_seconds=arguments.url_seconds,
        url_uses=arguments.url_uses,
        troubles=arguments.trouble,
    )
    return WandbService(
        arguments.folder,
        account=Account(key=arguments.key) if arguments.key else None,
        faults=faults,
        port=arguments.port,
        exports_when_finished=arguments.export_when_finished,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C; says where, and with which variables."""
    arguments = _parser().parse_args(argv)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    with service_of(arguments) as service:
        print(f"serving W&B's API at {service.url}; Ctrl-C ends it\n")
        print(f"export WANDB_BASE_URL={service.url}")
        print(f"export WANDB_API_KEY={service.account.key}")
        print(f"export WANDB_ENTITY={service.default_entity}", flush=True)
        ended.wait()
        asked = service.requests
        print(f"\n{asked.total} requests, {asked.bytes_out} bytes went out")
        for place, count in sorted(asked.by_place.items()):
            print(f"{count:>8} {place}")
        for status, count in sorted(asked.by_status.items()):
            print(f"{count:>8} status:{int(status)}")
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except RunferryError as error:
        raise SystemExit(str(error)) from None
