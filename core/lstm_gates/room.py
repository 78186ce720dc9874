"""What a plan or a question takes, told before anything is built; this module needs no torch."""

import math

from core.lstm_gates import GATES, LONGEST, Plan, texts

__all__ = ["longest", "parameters", "require_room"]

GATES_OF = {"lstm": 4, "gru": 3, "rnn": 1}  # rows of a layer's weights, in units
MOST_PRODUCTS = 10**10  # multiply-adds of a step, forward: seconds on a slow CPU
MOST_VALUES = 10**8  # of a step: 400 MB, and as much again on the way back
KEPT_OF_A_UNIT = 6  # values of a unit at a character that the way back needs
MOST_TOLD = 7_000_000  # of all gates: 28 MB, so that equal calls can share the answer
MOST_MAPPED = 5 * 10**10  # multiply-adds of a map of influence: two seconds of a slow CPU


def longest(analysis: str, cell: str, layers: int, units: int) -> int:
    """Tell about how many characters a network may be asked.

    Args:
        analysis: one of LONGEST, which has the most for small networks.
        cell: of the network.
        layers: likewise.
        units: of each layer.
    """
    room = MOST_TOLD // (len(GATES[cell]) * layers * units)
    if analysis == "influence":  # each character goes back through all that came before it
        room = math.isqrt(MOST_MAPPED // (GATES_OF[cell] * layers * 2 * units**2))
    return min(LONGEST[analysis], room)


def parameters(plan: Plan, characters: int) -> int:
    """Count the weights of a plan's network.

    Args:
        plan: of the network.
        characters: of its alphabet.
    """
    width, total = plan.embedding or characters, plan.embedding * characters
    for _ in range(plan.layers):
        total += GATES_OF[plan.cell] * plan.units * (width + plan.units + 2)
        width = plan.units
    return total + characters * (plan.units + 1)


def require_room(plan: Plan) -> None:
    """Refuse a text that is too short, and a step that would keep the device from all others.

    Raises: ValueError that names what is too much, the rule and the value.
    """
    text = texts.read(plan.text, plan.characters)
    read = plan.batch * (plan.window + 1)
    if text.cut < read:
        raise ValueError(
            f"text must have at least {read:,} characters to learn from, for a batch of "
            f"{plan.batch} and a window of {plan.window}, got {text.cut:,}"
        )
    characters, seen = len(text.alphabet), plan.batch * plan.window
    products = parameters(plan, characters)
    values = KEPT_OF_A_UNIT * plan.layers * plan.units + 4 * characters
    most = min(MOST_PRODUCTS // products, MOST_VALUES // values)
    if seen > most:
        raise ValueError(
            f"batch times window must be at most {most:,} characters for this network, which has "
            f"{products:,} weights and an alphabet of {characters:,}, got {seen:,}"
        )
