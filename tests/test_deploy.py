"""What is registered with Prefect, where no server is needed; prefect_server.py does it for real."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from flows.local_api import environment_replaced, prefect_environment
from pipeline.errors import ConfigurationError, ExitCode, UsageError

ROOT = Path(__file__).parent.parent
SETTINGS = {"TRIAGE_LEDGER_URL": "postgresql://triage@db/triage", "TRIAGE_KEYS_FILE": "/run/secrets/triage/k"}


@pytest.fixture(scope="module")
def flows_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, ModuleType]]:
    """flows.deploy and flows.work_pools, imported with a home of Prefect's own."""
    with environment_replaced(prefect_environment(os.environ, tmp_path_factory.mktemp("prefect"))):
        import flows.deploy
        import flows.work_pools

        yield flows.deploy, flows.work_pools


@pytest.fixture
def pools(flows_: tuple[ModuleType, ModuleType]) -> ModuleType:
    return flows_[1]


def defaults(template: dict[str, Any]) -> dict[str, Any]:
    properties = template["variables"]["properties"]
    return {name: one["default"] for name, one in properties.items() if one.get("default")}


def test_without_an_address_no_server_is_started(tmp_path: Path) -> None:
    """Prefect would start one that ends with the command, and sends its heartbeat out of the house."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path / "prefect")}
    environ["TRIAGE_HOME"] = str(tmp_path / "home")
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "deploy"], env=environ, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (ExitCode.CONFIGURATION, "")
    assert "No Prefect API is named" in done.stderr
    assert not list((tmp_path / "prefect").glob("*.db"))


@pytest.mark.parametrize("module", ["flows.deploy", "flows.triage", "flows.serve"])
def test_prefect_finds_itself_told_to_be_quiet(module: str, tmp_path: Path) -> None:
    """Whoever imports it: a command of ours, or a worker of Prefect's own."""
    told = (
        f"import {module}, os; from prefect.settings import get_current_settings as now; "
        "print(now().server.analytics_enabled, now().logging.to_api.enabled, os.environ['DO_NOT_TRACK'])"
    )
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PREFECT_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", told], env=environ, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False False 1\n"


def test_a_process_pool_leaves_the_settings_to_the_machines(pools: ModuleType) -> None:
    environ = {**SETTINGS, "TRIAGE_KEYS": "k1=secret"}  # a secret is refused only where it would be kept
    template = pools.base_job_template(pools.Pool(name="t", at_once=2, environ=environ))
    env = defaults(template)["env"]
    assert not [name for name in env if name.startswith("TRIAGE_")]
    assert env["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"] == "30"
    assert env["PREFECT_LOGGING_TO_API_ENABLED"] == "false"


def test_a_docker_pool(pools: ModuleType) -> None:
    pool = pools.Pool(
        name="t",
        type="docker",
        at_once=2,
        environ={**SETTINGS, "PATH": "/bin", "PREFECT_API_KEY": "k"},
        image="registry.example/clinical-triage:1",
        volumes=("triage-vault:/srv/vault", "/etc/triage:/run/secrets/triage:ro"),
        network="triage",
        memory="4g",
    )
    found = defaults(pools.base_job_template(pool))
    env = found.pop("env")
    assert {name: text for name, text in env.items() if name.startswith("TRIAGE_")} == SETTINGS
    assert not {"PATH", "PREFECT_API_KEY"} & env.keys()
    assert found == {
        "image": "registry.example/clinical-triage:1",
        "image_pull_policy": "IfNotPresent",
        "networks": ["triage"],
        "volumes": ["triage-vault:/srv/vault", "/etc/triage:/run/secrets/triage:ro"],
        "mem_limit": "4g",
        "auto_remove": True,
        "stream_output": True,
    }


def test_a_kubernetes_pool(pools: ModuleType) -> None:
    pool = pools.Pool(
        name="t",
        type="kubernetes",
        at_once=2,
        environ=SETTINGS,
        image="i:1",
        volumes=("vault:/srv/vault",),
        namespace="triage",
        secret="triage",
        memory="4Gi",
        cpu="2",
    )
    template = pools.base_job_template(pool)
    found = defaults(template)
    assert (found["image"], found["namespace"], found["memory_limit"]) == ("i:1", "triage", "4Gi")
    pod = template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == "{{ image }}"
    places = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert places == {"tmp": "/tmp", "volume-0": "/srv/vault", "secret": "/run/secrets/triage"}
    assert [volume["name"] for volume in pod["volumes"]] == list(places)
    assert pod["volumes"][1]["persistentVolumeClaim"] == {"claimName": "vault"}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsNonRoot"]


def test_prefects_own_template_is_not_changed(pools: ModuleType) -> None:
    before = json.dumps(pools._prefects_own("docker"))
    pools.base_job_template(pools.Pool(name="t", type="docker", at_once=1, image="i", environ=SETTINGS))
    assert json.dumps(pools._prefects_own("docker")) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [("TRIAGE_KEYS", "k1=abc"), ("TRIAGE_LEDGER_URL", "postgresql://triage:hunter2@db/triage")],
)
def test_no_secret_goes_to_prefect(pools: ModuleType, name: str, text: str) -> None:
    pool = pools.Pool(name="t", type="docker", at_once=1, image="i", environ={name: text})
    with pytest.raises(ConfigurationError, match=f"{name} would be kept in Prefect's database") as caught:
        pools.base_job_template(pool)
    assert text not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"type": "ecs"}, "no type of work pool"),
        ({"type": "docker"}, "needs an image"),
        ({"type": "process", "image": "i"}, "has no image"),
        ({"type": "docker", "image": "i", "secret": "s"}, "has no secret"),
        ({"type": "kubernetes", "image": "i", "network": "n"}, "has no network"),
        ({"type": "docker", "image": "i", "volumes": ("vault",)}, "no volume"),
        ({"type": "docker", "image": "i", "volumes": ("vault:relative",)}, "no volume"),
        ({"type": "docker", "image": "i", "volumes": ("vault:/srv:rx",)}, "no volume"),
    ],
)
def test_options_that_a_type_has_not(pools: ModuleType, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        pools.base_job_template(pools.Pool(name="t", at_once=1, **options))


def test_the_automations_are_about_our_flows(flows_: tuple[ModuleType, ModuleType]) -> None:
    deploy, _ = flows_
    silent, idle = deploy.automations(120, 900)
    for automation in (silent, idle):
        related = automation.trigger.match_related.model_dump()
        assert related["prefect.resource.name"] == ["triage", "intake", "requests", "retention", "reevaluate"]
        assert automation.actions[0].state == "CRASHED"
        # A state is told by its name, and ours name themselves: any word of a run will do.
        assert automation.trigger.expect == {"prefect.flow-run.*"}
    assert silent.trigger.within.total_seconds() == 120
    assert (silent.trigger.after, idle.trigger.after) == (
        {"prefect.flow-run.heartbeat"},
        {"prefect.flow-run.Pending"},
    )


def test_prefect_knows_the_settings_of_the_files(pools: ModuleType) -> None:
    """A setting that Prefect renames would be ignored without a word."""
    from prefect.settings import Settings
    from prefect.settings.legacy import _get_settings_fields

    known = set(_get_settings_fields(Settings))
    text = "".join((ROOT / name).read_text() for name in ("compose.yaml", "Dockerfile"))
    named = {name.removesuffix("_FILE") for name in re.findall(r"^ *(PREFECT_\w+)[:=]", text, re.MULTILINE)}
    assert len(named) > 5
    ours = {name for name in pools.job_environment({}) if name.startswith("PREFECT_")}
    assert (named | ours) - known == set()
    assert Settings().worker.webserver.port == 8080  # compose.yaml asks there whether a worker is well
