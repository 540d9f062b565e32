"""Dockerfile, compose file, systemd unit and alert rules say only what is so, without any engine."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import guides
import pytest
import yaml
from ledgers import open_test_ledger
from prometheus_client.parser import text_string_to_metric_families

from pipeline.__main__ import parser
from pipeline.errors import ExitCode
from pipeline.monitoring.metrics import exposition
from pipeline.sealing import keyring
from pipeline.settings import PREFIX, Settings, is_secret, load_settings
from tools.lock_for_use import blocks, needed

ROOT: Final = Path(__file__).parent.parent
KNOWN: Final = {field.name for field in fields(Settings)}
# Read by compose.yaml itself, not by the program.
OF_COMPOSE: Final = {
    f"TRIAGE_{name}"
    for name in ("IMAGE", "SECRETS", "RUNS", "WORK_SIZE", "DESK_AT", "INTAKE_AT", "METRICS_AT")
}


def instructions(path: Path) -> Iterator[tuple[str, str]]:
    """(instruction, what follows) of a Dockerfile, lines joined."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n", " ", "\n".join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(" ")
            yield word, rest.strip()


def is_a_command_of_ours(arguments: list[str]) -> None:
    """The program's own parser takes it; `prefect` is asked whether it has the command."""
    assert arguments[0] in ("triage", "prefect"), arguments
    if arguments[0] == "triage":
        parser().parse_args(arguments[1:])


def names_settings(names: set[str]) -> set[str]:
    """Those of TRIAGE_ names that are no settings."""
    ours = {name.removeprefix(PREFIX).lower() for name in names if name.startswith(PREFIX)}
    return {name for name in ours if name not in KNOWN and name.removesuffix("_file") not in KNOWN}


# --------------------------------------------------------------------------- Dockerfile


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    return list(instructions(ROOT / "Dockerfile"))


def test_what_is_copied_is_there_and_let_through(dockerfile: list[tuple[str, str]]) -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = set()
    for word, rest in dockerfile:
        sources = [part for part in rest.split() if not part.startswith("--")][:-1]
        if word == "COPY" and "--from=" not in rest:
            copied |= set(sources)
        assert word != "ADD"
    assert copied == let_through
    assert [path for path in copied if not (ROOT / path).exists()] == []


def test_the_image_starts_a_command_that_there_is(dockerfile: list[tuple[str, str]]) -> None:
    (command,) = [yaml.safe_load(rest) for word, rest in dockerfile if word == "CMD"]
    is_a_command_of_ours(command)
    assert parser().parse_args(command[1:]).metrics == "0.0.0.0:9464"


def test_the_image_runs_as_nobody_in_particular_and_holds_no_secret(
    dockerfile: list[tuple[str, str]],
) -> None:
    assert [rest for word, rest in dockerfile if word == "USER"] == ["10001:10001"]
    assert dockerfile[-1][0] == "HEALTHCHECK"
    variables = {
        name: text
        for word, rest in dockerfile
        if word == "ENV"
        for name, text in (part.split("=", 1) for part in shlex.split(rest))
    }
    assert names_settings(set(variables)) == set()
    assert not [name for name, text in variables.items() if is_secret(name.lower(), text)]
    assert all(
        "--require-hashes" in rest or "--no-build-isolation" in rest
        for word, rest in dockerfile
        if word == "RUN"
        for rest in re.findall(r"pip install[^&]*", rest)
    )


def test_secrets_of_prefect_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "auth").write_text("triage:a b$c'd\n")
    environment = {"PATH": "/usr/bin:/bin", "PREFECT_API_AUTH_STRING_FILE": str(tmp_path / "auth")}
    program = "import os; print(sorted(i for i in os.environ.items() if i[0].startswith('PREFECT')))"
    command = [str(ROOT / "deploy" / "with-secrets"), sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == """[('PREFECT_API_AUTH_STRING', "triage:a b$c'd")]\n"""
    missing = environment | {"PREFECT_API_AUTH_STRING_FILE": str(tmp_path / "none")}
    assert subprocess.run(command, env=missing, capture_output=True).returncode != 0


def test_the_lock_in_use_is_without_what_only_tests_need() -> None:
    lock = blocks((ROOT / "requirements.lock").read_text())
    kept = set(needed(lock))
    assert {"prefect", "sqlalchemy", "tesserocr", "scispacy"} <= kept
    assert kept.isdisjoint({"pytest", "mypy", "ruff", "hypothesis", "import-linter", "hatchling", "img2pdf"})
    assert "hatchling" in needed(lock, build=True)
    assert "pluggy" in needed(lock, also=["pytest"])
    direct = re.findall(
        r'^    "([A-Za-z0-9.-]+)', (ROOT / "pyproject.toml").read_text().split("[project.opt")[0], re.M
    )
    assert {re.sub(r"[._]", "-", name).lower() for name in direct} <= {
        name.replace(".", "-") for name in kept
    }


# --------------------------------------------------------------------------- compose


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_each_service_runs_a_command_that_there_is(compose: dict[str, Any]) -> None:
    ours = {name: one for name, one in compose["services"].items() if not name.endswith("-db")}
    for name, service in ours.items():
        command = [re.sub(r"\$\{\w+:-(.*?)\}", r"\1", part) for part in service["command"]]
        is_a_command_of_ours(command)
        assert names_settings(set(service["environment"])) == set(), name
    worker = ours["worker"]["command"]
    pool = parser().parse_args(["deploy", *ours["deploy"]["command"][4:]]).pool
    assert worker[worker.index("--pool") + 1] == pool


def test_what_a_service_refers_to_is_there(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for name, service in services.items():
        volumes = {text.split(":")[0] for text in service.get("volumes", [])}
        assert volumes <= compose["volumes"].keys(), name
        assert set(service["secrets"]) <= compose["secrets"].keys(), name
        assert set(service["networks"]) <= compose["networks"].keys(), name
        read = set(re.findall(r"/run/secrets/(\w+)", yaml.safe_dump(service)))
        assert read <= set(service["secrets"]), name
        for other, when in service.get("depends_on", {}).items():
            if when["condition"] == "service_healthy":
                assert "test" in services[other]["healthcheck"], (name, other)
            else:
                assert services[other]["restart"] == "no", (name, other)
    used = {secret for service in services.values() for secret in service["secrets"]}
    assert used == compose["secrets"].keys()


def test_nothing_starts_without_secrets_of_ones_own(compose: dict[str, Any]) -> None:
    for secret in compose["secrets"].values():
        assert re.match(r"\$\{TRIAGE_SECRETS:\?.+\}/\w+$", secret["file"])
    for name, service in compose["services"].items():
        for variable, text in service["environment"].items():
            assert not is_secret(variable.lower(), str(text)), (name, variable)
    assert set(re.findall(r"\$\{(TRIAGE_\w+)", (ROOT / "compose.yaml").read_text())) == OF_COMPOSE


def test_each_service_of_ours_may_do_no_more_than_it_must(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for port in service.get("ports", []):
            assert ":-127.0.0.1:" in port, name
        if name.endswith("-db"):
            assert "outside" not in service["networks"]
            continue
        assert service["read_only"] is True
        assert (service["cap_drop"], service["user"]) == (["ALL"], "10001:10001")
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert compose["networks"]["inside"] == {"internal": True}


# --------------------------------------------------------------------------- systemd


def test_the_unit_starts_a_command_that_there_is() -> None:
    unit = (ROOT / "deploy" / "triage.service").read_text()
    (start,) = re.findall(r"^ExecStart=\S+/triage (.+)$", unit, re.M)
    assert parser().parse_args(shlex.split(start)).command == "serve"
    assert names_settings(set(re.findall(r"^Environment=(\w+)=", unit, re.M))) == set()


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not on this machine")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "triage.service").read_text()
    unit = tmp_path / "triage.service"
    unit.write_text(re.sub(r"^(ExecStart=)\S+", rf"\1{sys.executable}", text, flags=re.M))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "triage.service" in line] == []
    unit.write_text(text.replace("NoNewPrivileges=", "NoNewPrivilege="))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "NoNewPrivilege" in done.stderr


def test_root_s_commands_find_what_the_service_has(tmp_path: Path) -> None:
    """deploy/triage gives a command the state, the keys and the settings that the unit gives the service."""
    script = (ROOT / "deploy" / "triage").read_text()
    unit = (ROOT / "deploy" / "triage.service").read_text()
    (home,) = re.findall(r"^Environment=TRIAGE_HOME=(\S+)$", unit, re.M)
    (keys,) = re.findall(r"^LoadCredential=keys:(\S+)$", unit, re.M)
    (settings,) = re.findall(r"^EnvironmentFile=-(\S+)$", unit, re.M)
    (program,) = re.findall(r"^ExecStart=(\S+)", unit, re.M)
    assert (f"TRIAGE_HOME={home}\n" in script, f"TRIAGE_KEY_FILE={keys}\n" in script) == (True, True)
    told = "import os, sys; print([i for i in sorted(os.environ.items()) if 'TRIAGE' in i[0]], sys.argv[1:])"
    (tmp_path / "settings").write_text(
        '# of the service\nTRIAGE_WORKERS=4\n\nTRIAGE_KEYS="k1=ab=,k2=cd="\n'
        "TRIAGE_OIDC_SCOPES='openid profile'\nPATH=/nowhere\nTRIAGE_POLICY=a$b c"  # and no line end
    )
    (tmp_path / "program").write_text(f"#!{sys.executable}\n{told}\n")
    (tmp_path / "program").chmod(0o755)
    changed = script.replace(settings, str(tmp_path / "settings")).replace(program, str(tmp_path / "program"))
    assert changed.count(str(tmp_path)) == 2
    command = ["sh", "-c", changed, "triage", "user", "add", "two words"]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "TRIAGE_WORKERS": "1"}, capture_output=True, text=True
    )
    wanted = [
        ("TRIAGE_HOME", home),
        ("TRIAGE_KEYS", "k1=ab=,k2=cd="),
        ("TRIAGE_KEY_FILE", keys),
        ("TRIAGE_OIDC_SCOPES", "openid profile"),
        ("TRIAGE_POLICY", "a$b c"),
        ("TRIAGE_WORKERS", "4"),
    ]
    assert (done.stdout, done.stderr) == (f"{wanted} ['user', 'add', 'two words']\n", "")
    (tmp_path / "settings").unlink()
    assert subprocess.run(command, env={"PATH": "/usr/bin:/bin"}).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves files that the service cannot read")
def test_what_root_leaves_is_the_service_s(tmp_path: Path) -> None:
    script = (ROOT / "deploy" / "triage").read_text()
    home = tmp_path / "home"
    (home / "vault").mkdir(parents=True)
    (home / "of another").touch()
    for path in (home, home / "vault", home / "of another"):
        os.chown(path, 10001, 10002)
    os.chown(home / "of another", 10003, 10003)
    (tmp_path / "program").write_text(f"#!/bin/sh\ntouch {home}/ledger.db {home}/vault/sealed\nexit 3\n")
    (tmp_path / "program").chmod(0o755)
    script = script.replace("/opt/clinical-triage/.venv/bin/triage", str(tmp_path / "program"))
    script = script.replace("/var/lib/clinical-triage/home", str(home))
    done = subprocess.run(["sh", "-c", script, "triage"], env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == ExitCode.CONFIGURATION  # the program's own
    owners = {path.name: path.stat().st_uid for path in home.rglob("*")}
    assert owners == {"vault": 10001, "of another": 10003, "ledger.db": 10001, "sealed": 10001}


# --------------------------------------------------------------------------- the handbook's commands


HANDBOOK: Final = ROOT / "docs" / "operations.md"


def a_block(word: str) -> str:
    """The block of the handbook in which a word stands."""
    (found,) = [text for text in guides.blocks(HANDBOOK) if word in text]
    return found


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not on this machine")
def test_the_secrets_are_made_as_the_handbook_says(tmp_path: Path, compose: dict[str, Any]) -> None:
    """Its block, run as it stands; the image is played by the program that it holds."""
    played = tmp_path / "bin"
    played.mkdir()
    (played / "docker").write_text(
        f'#!/bin/sh\n[ "$1" = build ] && exit\nshift 6; exec "{sys.executable}" -m pipeline "$@"\n'
    )
    (played / "docker").chmod(0o755)
    secrets = tmp_path / "secrets"
    block = a_block("install -d -m 0750 -g 10001").replace("/etc/clinical-triage/secrets", str(secrets))
    block = block.replace("-g 10001", f"-g {os.getgid()}")
    environ = {"PATH": f"{played}:/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-euc", block], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / ".env").read_text() == f"TRIAGE_SECRETS={secrets}\n"
    files = {path.name: path.read_text() for path in secrets.iterdir()}
    assert files.keys() == compose["secrets"].keys() - {"tls_cert", "tls_key"}
    assert {oct(path.stat().st_mode & 0o777) for path in secrets.iterdir()} == {"0o640"}
    assert oct(secrets.stat().st_mode & 0o777) == "0o750"
    environment = {f"TRIAGE_{name.upper()}_FILE": str(secrets / name) for name in ("ledger_url", "keys")}
    settings = load_settings(environment)
    password = files["ledger_password"].strip()
    assert settings.ledger_url == f"postgresql://triage:{password}@ledger-db/triage"
    assert files["prefect_database"].count(files["prefect_password"].strip()) == 1
    assert keyring(settings).current == "k1"
    again = subprocess.run(["sh", "-uc", block], cwd=tmp_path, env=environ, capture_output=True, text=True)
    assert again.stderr != ""
    assert {path.name: path.read_text() for path in secrets.iterdir()} == files  # a key lost is all lost


def test_the_service_is_set_up_as_the_handbook_says(tmp_path: Path) -> None:
    """The commands of its block, in order; folders of the machine are played by others."""
    block = a_block("systemctl enable")
    opt, etc, units, sbin = (tmp_path / name for name in ("opt", "etc", "units", "sbin"))
    for folder in (opt / ".venv" / "bin", opt / "deploy", units, sbin):
        folder.mkdir(parents=True)
    for path in ("deploy/triage", "deploy/triage.service"):
        shutil.copy(ROOT / path, opt / path)
    program = f'#!/bin/sh\nPYTHONPATH={ROOT} exec "{sys.executable}" -m pipeline "$@"\n'
    (opt / ".venv" / "bin" / "triage").write_text(program)
    (opt / ".venv" / "bin" / "triage").chmod(0o755)
    for name in ("make", "systemctl"):
        (sbin / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/said\n')
        (sbin / name).chmod(0o755)
    places = {"/opt/clinical-triage": opt, "/etc/clinical-triage": etc, "/etc/systemd/system": units}
    for place, played in {**places, "/usr/local/sbin": sbin}.items():
        block = block.replace(place, str(played))
    *setup, last = block.strip().splitlines()
    assert last == "triage doctor"
    environ = {"PATH": f"{sbin}:/usr/bin:/bin"}
    done = subprocess.run(["sh", "-euc", "\n".join(setup)], env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "said").read_text() == "make setup\nsystemctl enable --now triage\n"
    assert (etc / "keys").read_text().startswith("k1=")
    assert [oct(path.stat().st_mode & 0o777) for path in (etc, etc / "keys")] == ["0o700", "0o600"]
    assert (units / "triage.service").is_file()
    assert os.access(sbin / "triage", os.X_OK)
    assert subprocess.run(["sh", "-euc", "\n".join(setup)], env=environ, capture_output=True).returncode != 0


# --------------------------------------------------------------------------- alerts


Series = dict[str, list[Mapping[str, str]]]


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """The labels of every sample that an empty ledger tells, by the sample's name."""
    with open_test_ledger("sqlite", tmp_path_factory.mktemp("ledger")) as ledger:
        text = exposition(ledger, stuck_after=timedelta(minutes=1)).decode()
    found: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def unknown(expression: str, series: Series) -> set[str]:
    """What an expression names and nothing tells."""
    wrong = set()
    for name, matchers in re.findall(r"\b(triage_\w+)(?:\{([^}]*)\})?", expression):
        wanted = dict(re.findall(r'(\w+)="([^"]*)"', matchers))
        if not any(wanted.items() <= labels.items() for labels in series.get(name, [])):
            wrong.add(f"{name}{{{matchers}}}" if matchers else name)
    return wrong


def test_what_an_expression_names_wrongly_is_found(series: Series) -> None:
    assert unknown('rate(triage_pages_read_total{result="read"}[5m]) > 0 and triage_up == 1', series) == set()
    assert unknown('triage_stuck{why="tired"} + triage_sla_over', series) == {
        'triage_stuck{why="tired"}',
        "triage_sla_over",
    }


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_is_about_figures_that_there_are(rule: dict[str, Any], series: Series) -> None:
    assert unknown(rule["expr"], series) == set()
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "do"}
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    for words in re.findall(r"`triage ([^`]+)`", rule["annotations"]["do"]):
        parser().parse_args(shlex.split(words.replace("ID", "0" * 16).replace("CODE", "evaluator")))


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not on this machine")
def test_prometheus_takes_the_alerts() -> None:
    subprocess.run(["promtool", "check", "rules", str(ROOT / "deploy" / "alerts.yaml")], check=True)


def test_every_metric_is_in_the_handbook(series: Series) -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    told = set(re.findall(r"`(triage_\w+)`", text))
    ends = ("_bucket", "_sum", "_count")
    names = {re.sub(r"_(bucket|sum|count)$", "", name) if name.endswith(ends) else name for name in series}
    assert names == told
