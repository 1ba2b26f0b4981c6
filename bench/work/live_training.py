"""Times a training that is mirrored to backends which fail, and the same not mirrored, in turn.

Usage: live_training.py STEPS BLOCKS FOLDER

A step takes 2 ms. Of the three backends one is a dead port, one a socket that nobody answers at,
one a server of 500s. The outcome has the seconds of both.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import warnings

from stopwatch import answer, stopwatch

import runferry

SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Broken(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500)
        self.end_headers()

    do_POST = do_PUT = do_GET
    log_message = lambda *_: None

server = ThreadingHTTPServer(("127.0.0.1", 0), Broken)
print(server.server_port, flush=True)
server.serve_forever()
"""

steps, blocks = int(sys.argv[1]), int(sys.argv[2])
warnings.simplefilter("ignore")
os.chdir(sys.argv[3])
with socket.create_server(("127.0.0.1", 0)) as listening:
    dead = listening.getsockname()[1]
stalled = socket.create_server(("127.0.0.1", 0))
broken = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE)
assert broken.stdout is not None
ports = (dead, stalled.getsockname()[1], int(broken.stdout.readline()))
session = runferry.sync_tensorboard(
    to=[f"mlflow:http://127.0.0.1:{port}" for port in ports], journal="session"
)
assert session is not None
(hook,) = session.hooks.values()

from tensorboardX import SummaryWriter  # noqa: E402  behind the hook, as a script has it

seconds = {True: 0.0, False: 0.0}
with stopwatch() as lap, SummaryWriter("runs") as writer:
    step = 0
    for block in range(2 * blocks):
        is_on = (block + block // 2) % 2 == 0
        (hook.on if is_on else hook.off)()
        began = time.perf_counter()
        for _ in range(steps):
            time.sleep(0.002)
            writer.add_scalar("loss", step / 3, step)
            step += 1
        seconds[is_on] += time.perf_counter() - began
    hook.on()
told = runferry.stop_logging(timeout=0)
broken.kill()
broken.wait()
stalled.close()
delivered = sum(int(str(one["delivered"])) for one in told.values())
answer(
    lap, {"mirrored_s": seconds[True], "bare_s": seconds[False], "delivered": delivered,
          "dropped": session.journal.dropped.total()}
)  # fmt: skip
