"""A stand-in for W&B's closed service: its API on the loopback, for tests and benchmarks.

    with WandbService() as service:
        service.put_run("lab/vision/run1", RunContent(config={"lr": 0.1}), history_of=columns)
        wandb.Api()  # under service.environment(home)

The vendor's own client is its judge: `wandb.Api()` reads from it and `wandb sync` uploads to it in
the tests. It needs graphql-core. `python -m runferry.testing.wandb_service` starts it by hand.
"""

from runferry.testing.wandb_service.account import Account
from runferry.testing.wandb_service.faults import Faults, RateLimit, Requests, Trouble
from runferry.testing.wandb_service.history import ReadyHistory
from runferry.testing.wandb_service.run_content import RunContent
from runferry.testing.wandb_service.service import WandbService

__all__ = [
    "Account",
    "Faults",
    "RateLimit",
    "ReadyHistory",
    "Requests",
    "RunContent",
    "Trouble",
    "WandbService",
]
