"""The ledger's figures in the words of Prometheus: `exposition(ledger)`, and what each metric is.

Asked when they are scraped, so every process tells the same. A label's values are a known few: what a
sender, a person or another program could choose (a channel, a reason, an outcome) is `other` unless it is
one of ours, so that neither text of a patient nor a million series can get in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pipeline import ledger as led
from pipeline.errors import TriageError, UnreadableFile
from pipeline.ledger import Figures, Ledger, Measures, State
from pipeline.monitoring.tally import BUCKETS_S, PAGES, STAGE, STAGES
from pipeline.wording import OUTCOMES

OTHER: Final = "other"
CHANNELS: Final = ("command", "folder", "sftp", "mailbox", "upload", "fax", "fhir", "desk")
REASONS: Final = (
    *sorted(UnreadableFile.CODES),
    "evaluator",
    "failed",
    "failed_repeatedly",
    "internal_error",
    "worker_lost",
)
RESULTS: Final = ("finished", "resent", "released", "failed", "lost")
SENDINGS: Final = ("waiting", "delivered", "failed", "cancelled")
TARGETS: Final = ("evaluator", "folder", "request", "reminder")
PAGE_STATES: Final = ("read", "blank", "duplicate", "unread")


class LedgerCollector(Collector):
    """What `generate_latest` asks at each scrape. A ledger that does not answer is `triage_up` 0."""

    def __init__(self, ledger: Ledger, *, stuck_after: timedelta) -> None:
        self._ledger, self._stuck_after = ledger, stuck_after

    def collect(self) -> Iterator[Metric]:
        try:
            found = list(_families(self._ledger, self._stuck_after))
        except TriageError:
            found = []
        yield _gauge("triage_up", "1 where the ledger answers.", 1 if found else 0)
        yield from found


def exposition(ledger: Ledger, *, stuck_after: timedelta) -> bytes:
    """All metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(LedgerCollector(ledger, stuck_after=stuck_after))
    return generate_latest(registry)


def _families(ledger: Ledger, stuck_after: timedelta) -> Iterator[Metric]:
    figures, measures = led.figures(ledger), led.measures(ledger, stuck_after=stuck_after)
    yield from _arrivals(measures)
    yield from _states(figures, measures)
    yield from _clock(figures)
    yield from _work(measures)


def _arrivals(measures: Measures) -> Iterator[Metric]:
    yield _counters(
        "triage_received",
        "Submissions received, by channel of the first delivery.",
        "channel",
        _ways(measures.received),
        CHANNELS,
    )
    yield _counters(
        "triage_deliveries",
        "Deliveries by channel, repeated ones of the same bytes included.",
        "channel",
        _ways(measures.deliveries),
        CHANNELS,
    )
    yield _counter("triage_resent", "Submissions recognised as an earlier one sent again.", measures.resent)
    yield _counter("triage_pages", "Pages of what was received, once they are counted.", measures.pages)
    yield _counter("triage_received_bytes", "Bytes received.", measures.bytes)


def _states(figures: Figures, measures: Measures) -> Iterator[Metric]:
    states = GaugeMetricFamily("triage_submissions", "Submissions by state, now.", labels=["state"])
    for state in State:
        states.add_metric([state.value], figures.states[state])
    yield states
    yield _gauges("triage_parked", "Submissions parked now, by reason.", "reason", measures.parked, REASONS)
    yield _gauges("triage_outcomes", "Evaluated cases, by outcome.", "outcome", measures.outcomes, OUTCOMES)
    yield _gauges(
        "triage_stuck",
        "Submissions on which nothing happens though it should.",
        "why",
        measures.stuck,
        led.WHY_STUCK,
    )


def _clock(figures: Figures) -> Iterator[Metric]:
    yield _gauge(
        "triage_oldest_waiting_seconds", "Age of the oldest that is not done.", figures.oldest_waiting_s
    )
    yield _gauge(
        "triage_expedited_waiting", "Expedited submissions that are not done.", figures.expedited_waiting
    )
    yield _gauge("triage_sla_at_risk", "Not done, and little of their time is left.", figures.at_risk)
    yield _gauge("triage_sla_overdue", "Not done, and their time is over.", figures.overdue)
    yield _gauge("triage_pended", "Submissions that wait for someone outside.", figures.pended)
    notices = GaugeMetricFamily(
        "triage_announced", "Faxes that a provider told of and that are not here, by state.", labels=["state"]
    )
    notices.add_metric(["waiting"], figures.to_fetch)
    notices.add_metric(["parked"], figures.not_fetched)
    yield notices


def _work(measures: Measures) -> Iterator[Metric]:
    yield _counters("triage_attempts", "Ended attempts, by result.", "result", measures.attempts, RESULTS)
    sendings = GaugeMetricFamily(
        "triage_sendings", "What was or is to be sent, by target and state.", labels=["target", "state"]
    )
    counted = dict.fromkeys(((target, state) for target in (*TARGETS, OTHER) for state in SENDINGS), 0)
    for (target, state), number in measures.sendings.items():
        if state in SENDINGS:
            counted[_target(target), state] += number
    for labels, number in counted.items():
        sendings.add_metric(labels, number)
    yield sendings
    pages = {one.label: one.number for one in measures.tallies if one.kind == PAGES}
    yield _counters("triage_pages_read", "Pages worked, by how they ended.", "result", pages, PAGE_STATES)
    yield _durations(measures)


def _durations(measures: Measures) -> Metric:
    family = HistogramMetricFamily(
        "triage_stage_seconds", "How long a stage took for one submission.", labels=["stage"]
    )
    for stage in STAGES:
        own = {one.bucket: one for one in measures.tallies if (one.kind, one.label) == (STAGE, stage)}
        buckets, so_far = list[tuple[str, float]](), 0
        for place, end in enumerate([*map(str, BUCKETS_S), "+Inf"]):
            so_far += own[place].number if place in own else 0
            buckets.append((end, so_far))
        family.add_metric([stage], buckets, sum_value=sum(one.seconds for one in own.values()))
    return family


def _ways(channels: Mapping[str, int]) -> dict[str, int]:
    """`upload:NAME`, a channel of one sender's: by which way, not whose."""
    added = defaultdict[str, int](int)
    for channel, number in channels.items():
        added[channel.partition(":")[0]] += number
    return added


def _target(target: str) -> str:
    """`request:fax`, `remind2:mail`: what it is, not by which way."""
    kind = target.partition(":")[0]
    kind = "reminder" if kind.startswith("remind") else kind
    return kind if kind in TARGETS else OTHER


def _known(found: Mapping[str, int], known: Iterable[str]) -> dict[str, int]:
    """Counts of the known values, all of them, and of `other`."""
    counted = defaultdict[str, int](int, dict.fromkeys((*known, OTHER), 0))
    for value, number in found.items():
        counted[value if value in counted else OTHER] += number
    return dict(counted)


def _counters(name: str, told: str, label: str, found: Mapping[str, int], known: Iterable[str]) -> Metric:
    return _labelled(CounterMetricFamily(name, told, labels=[label]), found, known)


def _gauges(name: str, told: str, label: str, found: Mapping[str, int], known: Iterable[str]) -> Metric:
    return _labelled(GaugeMetricFamily(name, told, labels=[label]), found, known)


def _labelled(
    family: CounterMetricFamily | GaugeMetricFamily, found: Mapping[str, int], known: Iterable[str]
) -> Metric:
    for value, number in _known(found, known).items():
        family.add_metric([value], number)
    return family


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(name, told, value=value)
