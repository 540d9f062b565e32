"""Two hosts work one queue, and one of them is cut off in the middle: `make two-hosts`.

    python -m tests.two_hosts_run [--submissions 40]

Two network namespaces are the hosts, a bridge the network between them; on the bridge's address a PostgreSQL
of the run's own for ledger and Prefect, and `prefect server start`. Each host has its own name, home and
`prefect worker start`; the vault is shared. The real flows with the real stages read one-page letters. When
a third has ended, one host's cable is pulled for longer than a lease, and put back. Afterwards each
submission must have ended in one case with one evaluation, both hosts must have worked, the second also after
its return, and the balance must hold. Exit status 0, or 1 with what is wrong.

Needs Linux, root (namespaces), iproute2 and PostgreSQL's programs; says so and skips without them.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from fpdf import FPDF

from pipeline import ledger as led
from pipeline.ledger import Arrival, Incoming, Ledger, State, open_ledger
from pipeline.ledger.database import connect
from pipeline.ledger.schema import upgrade
from pipeline.ledger.tables import attempts
from pipeline.logs import configure_logging
from pipeline.settings import load_settings
from tests.ledgers import KEYS
from tests.prefect_servers import client_environment, prefect, prefect_server, running

NET: Final = "10.213.77"
BRIDGE: Final = f"{NET}.1"
HOSTS: Final = {"host-a": f"{NET}.2", "host-b": f"{NET}.3"}
PORT: Final = 55432
LEASE_S: Final = 10
PATIENCE_S: Final = 400.0
PAUSE_S: Final = 6.0  # between the last ones: Prefect begins runs every minute
LETTER = """ONCOLOGY ASSOCIATES                         Letter {number}
HISTORY AND PHYSICAL                        Date of service: 03/02/2026
Patient: Sample, Person {number}            DOB: 02/03/1950

HISTORY OF PRESENT ILLNESS: A {size} cm mass of the left kidney was found.
ASSESSMENT: Clear cell renal cell carcinoma, left kidney, clinical stage T1a N0 M0.
PLAN: CT-guided percutaneous cryoablation of the mass, lower pole of the left kidney.
"""


def letter(number: int) -> bytes:
    pdf = FPDF(unit="pt", format="letter")
    pdf.add_page()
    pdf.set_font("Courier", size=9)
    # Letters of their own: pages that are alike would be taken for one that was sent again.
    more = "\n".join(f"{secrets.token_hex(4)} {secrets.token_hex(4)}" for _ in range(20))
    pdf.multi_cell(0, 12, LETTER.format(number=number, size=f"2.{number % 10}") + more)
    return bytes(pdf.output())


def run(*command: str, **options: object) -> None:
    subprocess.run(command, check=True, capture_output=True, **options)  # type: ignore[call-overload]


# --------------------------------------------------------------------------- the network


def without() -> str:
    """What this machine lacks, empty if nothing."""
    if os.geteuid() != 0:
        return "it needs root, for network namespaces"
    if not shutil.which("ip") or not shutil.which("unshare"):
        return "it needs iproute2 and unshare"
    if _postgres_programs() is None:
        return "it needs PostgreSQL's initdb and pg_ctl"
    return ""


def _postgres_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Network:
    """A bridge and a namespace for each host; `cut` and `join` are the cable of one."""

    def __init__(self) -> None:
        tag = secrets.token_hex(2)
        self._bridge = f"tri{tag}"
        self._spaces = {host: f"tri{tag}-{host[-1]}" for host in HOSTS}
        self._cables = {host: f"tri{tag}{host[-1]}" for host in HOSTS}

    def __enter__(self) -> Network:
        run("ip", "link", "add", self._bridge, "type", "bridge")
        run("ip", "addr", "add", f"{BRIDGE}/24", "dev", self._bridge)
        run("ip", "link", "set", self._bridge, "up")
        for host, address in HOSTS.items():
            space, cable = self._spaces[host], self._cables[host]
            run("ip", "netns", "add", space)
            run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            run("ip", "link", "set", cable, "master", self._bridge)
            run("ip", "link", "set", cable, "up")
            run("ip", "-n", space, "addr", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", space, "link", "set", "eth0", "up")
            run("ip", "-n", space, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_: object) -> None:
        for space in self._spaces.values():
            subprocess.run(["ip", "netns", "del", space], capture_output=True)
        subprocess.run(["ip", "link", "del", self._bridge], capture_output=True)

    def on(self, host: str, command: list[str]) -> list[str]:
        """The command as one that runs on the host, under its name."""
        named = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$@"', "sh", *command]
        return ["ip", "netns", "exec", self._spaces[host], *named]

    def cut(self, host: str) -> None:
        run("ip", "link", "set", self._cables[host], "down")

    def join(self, host: str) -> None:
        run("ip", "link", "set", self._cables[host], "up")


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server of its own on the bridge's address; what comes before a database's name in its URL."""
    programs = _postgres_programs()
    assert programs is not None
    data = folder / "data"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    as_postgres = ["runuser", "-u", "postgres", "--"]
    run(*as_postgres, str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync")
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NET}.0/24 trust\n")
    options = (
        f"-c listen_addresses={BRIDGE} -p {PORT} -c unix_socket_directories={data} -c max_connections=200"
    )
    control = [*as_postgres, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    run(*control, "-l", str(data / "log"), "-o", options, "start")
    try:
        address = f"postgresql://postgres@{BRIDGE}:{PORT}"
        for name in ("ledger", "prefect"):
            run(str(programs / "createdb"), "-h", BRIDGE, "-p", str(PORT), "-U", "postgres", name)
        yield address
    finally:
        run(*control, "-m", "immediate", "stop")


# --------------------------------------------------------------------------- the run


def wait(holds: Callable[[], bool], told: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > ends:
            raise AssertionError(f"not in {PATIENCE_S:.0f} s: {told}")
        time.sleep(1)


def ended(ledger: Ledger) -> int:
    states = led.figures(ledger).states
    return sum(number for state, number in states.items() if state in led.ENDED)


def send(ledger: Ledger, numbers: range) -> None:
    for number in numbers:
        led.receive(ledger, [Arrival([Incoming(f"{number}.pdf", letter(number))], "folder")])


def begin(api: str, times: int) -> None:
    """Runs at once, beside those that the schedule begins every minute."""
    found = httpx.post(f"{api}/deployments/filter", json={}, timeout=60).json()
    deployment = next(one["id"] for one in found if one["entrypoint"] == "flows.triage.triage")
    for _ in range(times):
        made = httpx.post(f"{api}/deployments/{deployment}/create_flow_run", json={}, timeout=60)
        made.raise_for_status()


def work_through(network: Network, ledger: Ledger, api: str, submissions: int) -> datetime:
    """Send everything, with a cut in the middle; returns when the second host was back."""
    at_first = submissions - submissions // 3
    send(ledger, range(at_first))
    begin(api, 2)
    wait(lambda: {host_of(row) for row in tried(ledger)} == set(HOSTS), "both hosts at work")
    wait(lambda: held_by(ledger, "host-b") > 0 and ended(ledger) >= submissions // 8, "the second holds one")
    network.cut("host-b")
    print(
        f"host-b is cut off after {ended(ledger)} of {submissions}; it holds {held_by(ledger, 'host-b')}",
        flush=True,
    )
    time.sleep(3 * LEASE_S)
    print(f"meanwhile {ended(ledger)} have ended", flush=True)
    network.join("host-b")
    back = ledger.read(ledger.now)
    for number in range(at_first, submissions):
        send(ledger, range(number, number + 1))
        time.sleep(PAUSE_S)
    wait(lambda: ended(ledger) == submissions, "all have ended")
    wait(lambda: not led.sendings_due(ledger), "all is sent")
    return back


def tried(ledger: Ledger) -> list[Mapping[str, Any]]:
    """Rows of all attempts."""
    return ledger.read(lambda db: [dict(row._mapping) for row in db.execute(attempts.select())])


def host_of(attempt: Mapping[str, Any]) -> str:
    return str(attempt["worker"]).rsplit("-", 2)[0]


def held_by(ledger: Ledger, host: str) -> int:
    return sum(host_of(row) == host for row in tried(ledger) if row["ended_at"] is None)


def wrong(ledger: Ledger, submissions: int, back: datetime) -> Iterator[str]:
    """What must not be."""
    items = led.items(ledger, most=9999)
    if len(items) != submissions:
        yield f"{len(items)} submissions, not {submissions}"
    for item in items:
        history = led.history(ledger, item.id)
        kinds = Counter(event.kind for event in history.events)
        if item.state != State.DONE or [row["number"] for row in history.cases] != [1]:
            yield f"{item.id} is {item.state} ({item.reason}) with {len(history.cases)} cases"
        if any(kinds[kind] != 1 for kind in ("received", "finished", "evaluated")):
            yield f"{item.id} has the history {dict(kinds)}"
    yield from (f"{one.what}: {one.why}" for one in led.balance(ledger).discrepancies)
    rows = tried(ledger)
    finished = dict(Counter(host_of(row) for row in rows if row["result"] == "finished"))
    results = dict(Counter(row["result"] for row in rows))
    again = sum(host_of(row) == "host-b" and row["started_at"].replace(tzinfo=UTC) > back for row in rows)
    print(f"finished by {finished}; attempts {results}; host-b began {again} after its return")
    if set(finished) != set(HOSTS):
        yield f"only {sorted(finished)} worked"
    if not again:
        yield "host-b did not work again"


def two_hosts(folder: Path, submissions: int) -> list[str]:
    """Run it; what is wrong, which is nothing."""
    folder.chmod(0o755)  # PostgreSQL's own user must get through
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        database = stack.enter_context(postgresql(folder))
        ours = {
            "TRIAGE_LEDGER_URL": f"{database}/ledger",
            "TRIAGE_VAULT_DIR": str(folder / "vault"),
            "TRIAGE_KEYS": KEYS,
            "TRIAGE_LEASE_S": str(LEASE_S),
            "TRIAGE_WORKERS": "1",
            "TRIAGE_MIN_FREE_MB": "1",
            "TRIAGE_MAX_ATTEMPTS": "20",
        }
        ledgers = connect(ours["TRIAGE_LEDGER_URL"])
        upgrade(ledgers)
        ledgers.close()
        of_prefect = f"{database}/prefect".replace("://", "+asyncpg://", 1)
        api = stack.enter_context(prefect_server(folder, host=BRIDGE, database=of_prefect))
        settings = load_settings(ours | {"TRIAGE_HOME": str(folder / "home")})
        ledger = stack.enter_context(open_ledger(settings))

        def environment(host: str) -> dict[str, str]:
            path = {"PYTHONPATH": os.pathsep.join(os.path.abspath(place) for place in sys.path)}
            home = {"TRIAGE_HOME": str(folder / host)}
            return {**client_environment(folder / f"prefect-{host}", api), **ours, **home, **path}

        register = [sys.executable, "-m", "pipeline", "deploy", "--workers", "4"]
        run(*network.on("host-a", register), env=environment("host-a"))
        for host in HOSTS:
            worker = prefect("worker", "start", "--pool", "triage", "--name", host, "--limit", "1")
            log = folder / f"{host}.log"
            stack.enter_context(running(network.on(host, worker), environment(host), log))
        started = time.monotonic()
        back = work_through(network, ledger, api, submissions)
        print(f"{submissions} submissions in {time.monotonic() - started:.0f} s")
        return list(wrong(ledger, submissions, back))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--submissions", type=int, default=40)
    options.add_argument("--keep", type=Path, help="folder for what the run leaves behind, logs included")
    chosen = options.parse_args()
    if lacks := without():
        print(f"TWO HOSTS SKIPPED: {lacks}.")
        return 0
    configure_logging(level="ERROR")
    if chosen.keep:
        chosen.keep.mkdir()
        found = two_hosts(chosen.keep, chosen.submissions)
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = two_hosts(Path(folder), chosen.submissions)
    for line in found:
        print(f"WRONG: {line}")
    print(
        "nothing lost, nothing doubled, both hosts worked" if not found else f"{len(found)} things are wrong"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
