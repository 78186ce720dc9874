"""How far an attack is, of what it may come to at most."""

from core.adversarial import Attack
from core.shared.progress import Done

__all__ = ["far"]


def far(attack: Attack, moments: int, queries: int) -> Done:
    """Say how far an attack is: of a black box in pictures that were read, of others in steps.

    Args:
        attack: how it is attacked.
        moments: that were seen so far.
        queries: pictures that were read so far; with those that only check what was found they may
            be more than the attack's own, which is then as good as at its end.
    """
    about = attack.about
    if "queries" in about.heeds:
        done, of, unit = queries, attack.queries, "pictures"
    else:
        steps = 1 if attack.method == "fgsm" else attack.steps
        of = steps * attack.searches if "searches" in about.heeds else steps
        done, unit = moments, "steps"
    of *= attack.restarts
    early = about.minimal or attack.early or attack.restarts > 1
    return Done(min(done, of), of, unit, about.title, early)
