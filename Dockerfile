# syntax=docker/dockerfile:1
# The program with what it needs, from the lock file and nothing else; no secret, no test, no compiler in it.
#   docker build --tag clinical-triage .
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements.lock tools/lock_for_use.py ./
# First the packages: they change seldom. To have traces too: --build-arg WITH="--with NAME ..." with the
# extra's packages, once the lock has them.
ARG WITH=""
RUN python lock_for_use.py requirements.lock --build ${WITH} > needed.lock \
    && python -m venv /opt/triage \
    && /opt/triage/bin/python -m pip install --no-deps --require-hashes --requirement needed.lock
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY pipeline pipeline
COPY flows flows
RUN /opt/triage/bin/python -m pip install --no-deps --no-build-isolation . \
    && /opt/triage/bin/python -m pip uninstall --yes pip hatchling editables \
    && /opt/triage/bin/python -m compileall -q -j 0 /opt/triage/lib

FROM ${BASE}
RUN groupadd --gid 10001 triage \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /srv/triage --shell /usr/sbin/nologin triage \
    && install --directory --owner triage --group triage --mode 0700 /srv/triage /srv/inbox /srv/vault /srv/output
COPY --from=build /opt/triage /opt/triage
COPY --chmod=0755 deploy/with-secrets /usr/local/bin/with-secrets
# The root file system may be read-only: what is written lies in these two volumes and in /tmp.
ENV PATH=/opt/triage/bin:$PATH \
    HOME=/srv/triage \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DO_NOT_TRACK=1 \
    TRIAGE_HOME=/srv/triage
VOLUME ["/srv/triage", "/srv/inbox"]
WORKDIR /srv/triage
USER 10001:10001
EXPOSE 9464
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/with-secrets"]
CMD ["triage", "serve", "--watch", "/srv/inbox", "--metrics", "0.0.0.0:9464", "--json-logs"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/health/live', timeout=5)"]
