"""The embedded rules evaluator: a case and a policy in, an evaluation out; no file, network or clock.

Same case and policy, same evaluation, always. Three values throughout: what is missing, uncertain
or conflicting stays unknown (Kleene's strong logic), and nothing is concluded from silence.
"""

from pipeline.rules.evaluator import evaluate
from pipeline.rules.ruleset import Ruleset

__all__ = ["Ruleset", "evaluate"]
