"""How flow runs are started by a worker of Prefect: the base job template of a work pool.

Prefect's own template of the type, with our image, settings, volumes and limits as its defaults. What
stands in it is kept in Prefect's database and shown by its user interface: no secret may be in it. Secrets
come as files (TRIAGE_<NAME>_FILE), from a volume or a Secret of Kubernetes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final

from flows.local_api import QUIET
from pipeline.errors import ConfigurationError, UsageError
from pipeline.settings import PREFIX, is_secret

TYPES: Final = ("process", "docker", "kubernetes")
HEARTBEAT_S: Final = 30  # the least that Prefect takes
_TEMPLATES: Final = "aggregate-worker-metadata.json"
SECRETS_AT: Final = "/run/secrets/triage"


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A work pool as it is asked for.

    `volumes` are SOURCE:PLACE[:ro]; of Kubernetes, SOURCE is a PersistentVolumeClaim. `secret` is a Secret of
    Kubernetes, whose keys become files under SECRETS_AT. `at_once` limits the flow runs of the whole pool.
    """

    name: str
    type: str = "process"
    at_once: int
    environ: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    volumes: tuple[str, ...] = ()
    network: str = ""
    namespace: str = ""
    secret: str = ""
    memory: str = ""
    cpu: str = ""


def base_job_template(pool: Pool) -> dict[str, Any]:
    """The template. Raises UsageError for options that the type has not, ConfigurationError for a secret
    among the settings."""
    _check(pool)
    template = deepcopy(_prefects_own(pool.type))
    # What a worker of Prefect starts as a process inherits the settings of its machine.
    environ = {} if pool.type == "process" else pool.environ
    values = {"env": job_environment(environ)} | _VALUES[pool.type](pool)
    for name, value in values.items():
        if value:
            template["variables"]["properties"][name]["default"] = value
    if pool.type == "kubernetes":
        _harden(template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"], pool)
    return template


def job_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The TRIAGE_ settings of `environ` and what keeps Prefect quiet. Raises ConfigurationError."""
    ours = {name: text for name, text in environ.items() if name.startswith(PREFIX)}
    secret = sorted(name for name, text in ours.items() if is_secret(name.removeprefix(PREFIX).lower(), text))
    if secret:
        raise ConfigurationError(
            f"{', '.join(secret)} would be kept in Prefect's database in clear.",
            next_step="Put each into a file and name that in <NAME>_FILE; it comes by --volume or --secret.",
        )
    return {**QUIET, "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_S), **ours}


def _prefects_own(pool_type: str) -> dict[str, Any]:
    """As Prefect's server has it for `prefect work-pool create`; read from its package, since the server
    itself asks GitHub first."""
    path = resources.files("prefect.server.api") / "collections_data" / "views" / _TEMPLATES
    for workers in json.loads(path.read_text(encoding="utf-8")).values():
        if pool_type in workers:
            found: dict[str, Any] = workers[pool_type]["default_base_job_configuration"]
            return found
    raise UsageError(f"Prefect knows no work pool of type {pool_type}.")


def _check(pool: Pool) -> None:
    if pool.type not in TYPES:
        raise UsageError(f"{pool.type} is no type of work pool here.", next_step=f"Name {', '.join(TYPES)}.")
    if pool.type != "process" and not pool.image:
        raise UsageError(f"A {pool.type} pool needs an image.", next_step="Name one with --image.")
    allowed = {
        "process": (),
        "docker": ("image", "volumes", "network", "memory"),
        "kubernetes": ("image", "volumes", "namespace", "secret", "memory", "cpu"),
    }[pool.type]
    optional = ("image", "volumes", "network", "namespace", "secret", "memory", "cpu")
    wrong = [name for name in optional if getattr(pool, name) and name not in allowed]
    if wrong:
        raise UsageError(f"A {pool.type} pool has no {', no '.join(wrong)}.")
    for volume in pool.volumes:
        _volume(volume)


def _volume(text: str) -> tuple[str, str, bool]:
    """(source, place, read only). Raises UsageError."""
    source, _, rest = text.partition(":")
    place, _, mode = rest.partition(":")
    if not source or not place.startswith("/") or mode not in ("", "ro", "rw"):
        raise UsageError(f"{text} is no volume.", next_step="For example triage-vault:/srv/vault.")
    return source, place, mode == "ro"


def _process(pool: Pool) -> dict[str, Any]:
    return {}


def _docker(pool: Pool) -> dict[str, Any]:
    return {
        "image": pool.image,
        "image_pull_policy": "IfNotPresent",
        "networks": [pool.network] if pool.network else [],
        "volumes": list(pool.volumes),
        "mem_limit": pool.memory,
        "auto_remove": True,
    }


def _kubernetes(pool: Pool) -> dict[str, Any]:
    return {
        "image": pool.image,
        "namespace": pool.namespace,
        "memory_request": pool.memory,
        "memory_limit": pool.memory,
        "cpu_request": pool.cpu,
        "finished_job_ttl": 3600,
    }


_VALUES: Final = {"process": _process, "docker": _docker, "kubernetes": _kubernetes}


def _harden(pod: dict[str, Any], pool: Pool) -> None:
    """The pod's volumes, and no right that the work does not need."""
    (container,) = pod["containers"]
    pod["automountServiceAccountToken"] = False
    pod["securityContext"] = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    container["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {}}]
    mounts: list[dict[str, Any]] = [{"name": "tmp", "mountPath": "/tmp"}]
    for number, text in enumerate(pool.volumes):
        claim, place, read_only = _volume(text)
        volumes.append({"name": f"volume-{number}", "persistentVolumeClaim": {"claimName": claim}})
        mounts.append({"name": f"volume-{number}", "mountPath": place, "readOnly": read_only})
    if pool.secret:
        volumes.append({"name": "secret", "secret": {"secretName": pool.secret, "defaultMode": 0o440}})
        mounts.append({"name": "secret", "mountPath": SECRETS_AT, "readOnly": True})
    pod["volumes"], container["volumeMounts"] = volumes, mounts
