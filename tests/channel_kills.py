"""Channels killed at random: everything that was sent is received once, and nothing stays at its source.

    python -m tests.channel_kills [--seed n] [--kills n]

For each channel, submissions are put at its source, real servers on loopback, while the process that polls it
is killed (SIGKILL) at a random time and started again; then the ledger is counted.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from imap_servers import imap_server
from ledgers import KEYS
from sftp_servers import sftp_server

from pipeline import ledger as led
from pipeline.intake import open_channel
from pipeline.ledger import open_ledger
from pipeline.settings import load_settings

SUBMISSIONS = 80
PATIENCE_S = 240.0


def contents(rng: random.Random) -> list[list[bytes]]:
    """Files of each submission: one, or several that belong together."""
    return [
        [rng.randbytes(rng.choice([10, 1000, 300_000])) for _ in range(rng.choice([1, 1, 2, 5]))]
        for _ in range(SUBMISSIONS)
    ]


def into_folder(folder: Path, number: int, files: list[bytes]) -> None:
    """Whole from the start: written elsewhere and renamed."""
    hidden = folder / f".{number}"
    if len(files) == 1:
        hidden.write_bytes(files[0])
    else:
        hidden.mkdir()
        for position, content in enumerate(files):
            (hidden / f"{position}.pdf").write_bytes(content)
    hidden.rename(folder / f"{number}.pdf")


def letter(number: int, files: list[bytes]) -> bytes:
    message = EmailMessage()
    message["Message-ID"] = f"<{number}@sender.example>"
    message.set_content("Attached.")
    for content in files:
        message.add_attachment(content, maintype="application", subtype="pdf", filename="a.pdf")
    return message.as_bytes()


Source = tuple[dict[str, str], Callable[[int, list[bytes]], None], Callable[[], int]]
"""The channel's settings, how a submission is put there, and how many are there still."""


@contextmanager
def source(name: str, folder: Path) -> Iterator[Source]:
    """Where the channel `name` takes from."""
    if name == "folder":
        inbox = folder / "inbox"
        inbox.mkdir()
        yield (
            {"watch_folder": str(inbox)},
            lambda number, files: into_folder(inbox, number, files),
            lambda: len(list(inbox.iterdir())),
        )
    elif name == "sftp":
        with sftp_server(folder) as sftp:
            yield (
                sftp.settings | {"sftp_every_s": "0.1"},
                lambda number, files: into_folder(sftp.root, number, files),
                lambda: len(list(sftp.root.iterdir())),
            )
    else:
        with imap_server(folder) as imap:
            yield (
                imap.settings | {"mailbox_every_s": "0.1"},
                lambda number, files: imap.deliver(letter(number, files)),
                imap.found,
            )


def poll(name: str) -> None:
    """The process that is killed: says that it begins, then polls."""
    settings = load_settings(os.environ)
    with open_ledger(settings) as ledger:
        channel = open_channel(name, settings)
        sys.stdout.write("begins\n")
        sys.stdout.flush()
        while True:
            channel.take_in(ledger)
            time.sleep(0.02)


def killed(name: str, rng: random.Random, kills: int) -> list[str]:
    """What is wrong after all was taken in."""
    with tempfile.TemporaryDirectory() as place, source(name, Path(place)) as (more, put, left):
        given = {"home": f"{place}/home", "keys": KEYS, "min_free_mb": "1", "watch_settled_s": "0"} | more
        environ = {f"TRIAGE_{key.upper()}": value for key, value in given.items()}
        packets = contents(rng)
        sender = threading.Thread(target=lambda: [put(n, files) for n, files in enumerate(packets)])
        with open_ledger(load_settings(environ)) as ledger:
            sender.start()
            done, ends = 0, time.monotonic() + PATIENCE_S
            while time.monotonic() < ends and (done < kills or sender.is_alive() or left()):
                process = subprocess.Popen(
                    [sys.executable, "-m", "tests.channel_kills", "--poll", name],
                    env={**os.environ, **environ},
                    stdout=subprocess.PIPE,
                )
                assert process.stdout is not None
                process.stdout.readline()
                time.sleep(rng.uniform(0, 0.5) if done < kills else 3)
                process.kill()
                process.wait()
                process.stdout.close()
                done += 1
                if done == kills // 2:  # the second half must find something to do
                    sender.join()
            sender.join()
            balance = led.balance(ledger)
            sizes = sorted(item.byte_count for item in led.items(ledger, most=9999))
        expected = sorted(sum(map(len, files)) for files in packets)
        print(
            f"{name}: {balance.received} received, {balance.deliveries} deliveries, {done} kills", flush=True
        )
        wrong = []
        if sizes != expected:
            wrong.append(f"{name}: what was received is not what was sent")
        if balance.deliveries != SUBMISSIONS:
            wrong.append(f"{name}: {balance.deliveries} deliveries of {SUBMISSIONS}")
        if not balance.holds:
            wrong.append(f"{name}: the balance does not hold")
        if left():
            wrong.append(f"{name}: {left()} are at the source still")
        return wrong


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--poll")
    options.add_argument("--kills", type=int, default=25, help="of each channel")
    options.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    chosen = options.parse_args()
    if chosen.poll:
        poll(chosen.poll)
    print(f"seed {chosen.seed}", flush=True)
    rng = random.Random(chosen.seed)
    found = [line for name in ("folder", "sftp", "mailbox") for line in killed(name, rng, chosen.kills)]
    for line in found:
        print(f"WRONG: {line}")
    print(
        "nothing lost, nothing doubled" if not found else f"{len(found)} things are wrong; seed {chosen.seed}"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
