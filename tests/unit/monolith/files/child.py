"""A child process that behaves as its first argument says; run as a module by the tests."""

import os
import signal
import sys
import threading
from pathlib import Path


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


what, *arguments = sys.argv[1:]
match what:
    case "announce":
        _say('{"stage": 2, "progress": 42}')
        mark = Path(arguments[0])
        beside = mark.with_name("child.new")
        beside.write_text(str(os.getpid()))
        beside.rename(mark)
        threading.Event().wait()
    case "wait":
        threading.Event().wait()
    case "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    case "memory":
        blocks = [bytes(50_000_000) for _ in range(100)]
    case "garbage":
        _say("[1]")
        threading.Event().wait()
    case "sentence":
        sys.stderr.write("study.vcf.gz: the moon is full.\n")
        sys.exit(1)
    case "traceback":
        raise RuntimeError("chr20 1000 0|1 secret")
    case "large":
        Path("large").write_bytes(bytes(3_000_000))
