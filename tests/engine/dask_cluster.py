"""``dask scheduler`` and ``dask worker``, as people start them."""

import re
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.engine.building import LIMIT


@contextmanager
def dask_cluster(directory, settings):
    """The scheduler's address, and a function that adds a worker and returns its process.

    All run in ``directory`` with the environment ``settings``, and log there; a worker that is
    given a ``home`` runs there, with nothing but that home and the scheduler in common.
    """
    started = []

    def run(*words, home=None, **more):
        log = directory / f"dask{len(started)}.log"
        environment = {**settings, **more}
        if home is not None:
            (home / "tmp").mkdir(parents=True)
            environment |= {"HOME": str(home), "TMPDIR": str(home / "tmp")}
            environment["PADDLE2OM_CACHE"] = str(home / "cache")
        with log.open("w") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *map(str, words)],
                stdout=file,
                stderr=file,
                cwd=home or directory,
                env=environment,
            )
        started.append(process)
        return process, log

    try:
        _, log = run("scheduler", "--port", "0", "--no-dashboard")
        end = time.monotonic() + LIMIT
        while not (found := re.search(r"Scheduler at:\s+(tcp://\S+)", log.read_text())):
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)

        def add(*words, **more):
            flags = ("--nthreads", "1", "--no-nanny", "--no-dashboard", *words)
            return run("worker", found[1], *flags, **more)[0]

        yield found[1], add
    finally:
        for process in started:
            process.kill()
            process.wait()
