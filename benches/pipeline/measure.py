"""Runs one command alone and says what it cost: CPU seconds, wall seconds, peak resident memory."""

import os
import resource
import subprocess
import time

# One thread everywhere, and nothing fetched from a network.
ENVIRONMENT = {
    "RAYON_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
    "HF_HUB_OFFLINE": "1",
}


class Failed(Exception):
    """A command that did not end well; the message says where its output is."""


def pin():
    """Ties this process and all that it starts to one CPU; its number, or None where that is not possible."""
    try:
        cpu = min(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cpu})
        return cpu
    except (AttributeError, OSError):
        return None


def measure(command, log):
    """(cost, standard output). CPU seconds are user and system time of the command and of every
    process that it waited for; peak memory is that of the largest single one of them."""
    start = time.monotonic()
    with open(log, "wb") as errors:
        process = subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise Failed(f"exit code {process.returncode}, see {log}")
    cost = {
        "cpu-s": round(usage.ru_utime + usage.ru_stime, 3),
        "system-s": round(usage.ru_stime, 3),
        "wall-s": round(time.monotonic() - start, 3),
        "peak-mib": round(usage.ru_maxrss / 1024, 1),
    }
    return cost, output.decode("utf-8", "replace")


def own_peak_mib():
    """Peak memory of this process: a child that it starts cannot be seen to use less."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
