"""Logs into the repository argv[1] until it is ended; says so once it has begun."""

import sys

import aim

run = aim.Run(
    repo=sys.argv[1],
    system_tracking_interval=None,
    capture_terminal_logs=False,
    log_system_params=False,
)
for step in range(10**9):
    run.track(step * 0.5, name="a", step=step)
    run.track(step, name="b", step=step / 8, epoch=step / 4 if step % 3 else None)
    if step == 500:
        print("begun", flush=True)
