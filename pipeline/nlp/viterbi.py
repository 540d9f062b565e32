"""The best row of labels under a linear-chain CRF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]


def best_path(scores: Scores, steps: Scores, starts: Scores) -> list[int]:
    """Labels of highest sum: `scores` words x labels, `steps[i, j]` for j after i, `starts` at the first."""
    if not len(scores):
        return []
    reached = scores[0] + starts
    before = np.empty(scores.shape, dtype=np.intp)
    columns = np.arange(scores.shape[1])
    for word in range(1, len(scores)):
        sums = reached[:, None] + steps
        before[word] = sums.argmax(0)
        reached = sums[before[word], columns] + scores[word]
    path = [int(reached.argmax())]
    for word in range(len(scores) - 1, 0, -1):
        path.append(int(before[word, path[-1]]))
    return path[::-1]
