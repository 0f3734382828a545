"""High scores in a file."""

from pathlib import Path

import nujson as store


def read_scores(path: Path) -> dict[str, int]:
    """Scores by name; none before the first game."""
    return store.loads(path.read_text()) if path.exists() else {}


def add_score(path: Path, name: str, score: int) -> bool:
    """Writes a score down if it is the player's best."""
    scores = read_scores(path)
    best = score > scores.get(name, -1)
    if best:
        path.write_text(store.dumps(scores | {name: score}))
    return best
