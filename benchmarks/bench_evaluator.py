"""What an evaluation costs, embedded: `python benchmarks/bench_evaluator.py [--cases N] [--reevaluate]`.

Over the decision table of fixtures/decisions/ and over random cases: every fact told, silent, uncertain
or told in two ways by chance, so that they are harder than packets are. Processor time, so that what
else the machine does does not count. With --reevaluate also the
command of that name, over N cases with 20 pages of text each in a temporary folder.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from decisions import case_of, decisions  # noqa: E402
from figures import Figure, write_figures  # noqa: E402

from pipeline.case_json import to_json  # noqa: E402
from pipeline.catalog.facts import Facts, load_facts  # noqa: E402
from pipeline.domain import Case, CaseDocument  # noqa: E402
from pipeline.evaluation import ruleset_for  # noqa: E402
from pipeline.reevaluation import case_files, reevaluate  # noqa: E402
from pipeline.rules import evaluate  # noqa: E402
from pipeline.settings import load_settings  # noqa: E402

SETTINGS = load_settings({})
PHRASES = ("melanoma", "melanoma in situ", "carcinoid", "clear cell carcinoma", "adenocarcinoma")
SEED = 6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--cases", type=int, default=10_000)
    options.add_argument("--reevaluate", action="store_true")
    options.add_argument("--figures", type=Path)
    chosen = options.parse_args()
    chance = random.Random(SEED)
    facts = load_facts(SETTINGS.models_dir)
    table = [row.case for row in decisions()]
    random_cases = [random_case(facts, chance) for _ in range(chosen.cases)]
    empty = [case_of("procedure=none")]
    sets = (("decision table", table), ("random", random_cases), ("nothing told", empty * 200))
    means = {title: show(title, cases) for title, cases in sets}
    if chosen.figures:
        write_figures(
            chosen.figures,
            [
                Figure("one evaluation, processor time", title, "ms", 1e3 * mean)
                for title, mean in means.items()
            ],
        )
    if chosen.reevaluate:
        reevaluate_in_a_folder(random_cases)


def random_case(facts: Facts, chance: random.Random) -> Case:
    """Each fact told 6 times in 10, silent 2, uncertain 1, and in two ways 1."""
    told = []
    for fact in facts:
        if fact.finding or fact.attribute != "value":
            continue
        values = fact.known_values or PHRASES
        drawn = chance.choices(("one", "none", "?", "two"), (6, 2, 1, 1))[0]
        if drawn == "one":
            told.append(f"{fact.name}={chance.choice(values)}")
        elif drawn == "two":
            told.append(f"{fact.name}={'|'.join(chance.sample(values, 2))}")
        elif drawn == "?":
            told.append(f"{fact.name}=?")
    plan = chance.choice(("present", "present", "incomplete", "missing"))
    return case_of("; ".join(told), f"plan={plan}")


def show(title: str, cases: Sequence[Case]) -> float:
    """Prints how long they take; returns the mean, in seconds."""
    ruleset = ruleset_for(cases[0].policy, SETTINGS)
    for case in cases[:100]:
        evaluate(case, ruleset)
    times = sorted(timed(partial(evaluate, case, ruleset), clock=time.process_time) for case in cases)
    mean, p99 = sum(times) / len(times), times[int(len(times) * 0.99)]
    sys.stdout.write(
        f"{title:<15} {len(times):>6} cases  mean {mean * 1e3:6.2f} ms  p99 {p99 * 1e3:6.2f} ms"
        f"  max {times[-1] * 1e3:6.2f} ms\n"
    )
    return mean


def reevaluate_in_a_folder(cases: Sequence[Case]) -> None:
    text = CaseDocument("d1", "a.pdf", "letter", None, "t", 1, 20, 1.0, text="a line of text\n" * 3000)
    ref = ruleset_for(None, SETTINGS).policy.ref
    with tempfile.TemporaryDirectory() as name:
        for number, case in enumerate(cases):
            folder = Path(name) / f"{number:05}"
            folder.mkdir()
            data = to_json(replace(case, case_id=f"c{number}", documents=(text,)))
            (folder / "case.json").write_text(json.dumps(data, indent=2), encoding="utf-8")
        paths = case_files(Path(name))
        took = timed(lambda: reevaluate(paths, ref, SETTINGS))
        sys.stdout.write(f"reevaluate      {len(paths):>6} cases  {took:.1f} s\n")


def timed(run: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    run()
    return clock() - started


if __name__ == "__main__":
    main()
