"""What all scripts of an attack share: what is wanted, how the best is kept, and the end."""

import textwrap

from core.adversarial import Attack

__all__ = ["QUICKEST", "end", "keep_nearest", "keep_surest", "problem", "settings", "written"]

PROBLEM = """network.eval().requires_grad_(False)
clean = (255 * pixels[None]).round() / 255
{wanted}
{settings}
"""
MARGIN = """def margin(logits):  # of the label before all others; below 0 the network is fooled
    others = logits.index_fill(1, torch.tensor(label), -torch.inf)
    return logits[:, label] - others.amax(1)
"""
LACK = """def margin(logits):  # of the others before the target; below 0 the network is fooled
    others = logits.index_fill(1, torch.tensor(target), -torch.inf)
    return others.amax(1) - logits[:, target]
"""
QUICKEST = """network = evaluating.quickest(network)  # to the last bit: Adam makes much of it
"""
IN_8_BITS = """def in_8_bits(images):
    whole = ((images - clean) * 255).round()
{within}    return ((255 * clean).round() + whole).clamp(0, 255) / 255
"""
WITHIN = {
    "linf": """    shorter = ((images - clean).abs() * 255 + 1e-3).floor() * (images - clean).sign()
    whole = torch.where(whole.abs() > 255 * epsilon + 1e-3, shorter, whole)
""",
    "l2": """    if whole.norm() > 255 * epsilon + 1e-3:  # the longest share that fits
        share = 0.0
        for power in range(1, 11):
            longer = (255 * (images - clean) * (share + 0.5**power)).round()
            share += 0.5**power if longer.norm() <= 255 * epsilon + 1e-3 else 0
        whole = (255 * (images - clean) * share).round()
""",
}
DISTANCE = """def distance(images):
    return {}
"""
DISTANCES = {
    "linf": "(images - clean).abs().max()",
    "l2": "(images - clean).norm()",
    "l0": "((images - clean).abs().amax(1) > 1e-3 / 255).sum()",
}
ALREADY = """if margin(network(clean)) < 0:
    raise SystemExit("It is read as was wanted already: there is nothing to attack.")
"""
SUREST = """best, surest, lowest = None, None, 0.0
"""
ONCE = """for step, (images, logits) in enumerate(attack({source})):
"""
AGAIN = """for (images, logits), step in zip(attack({source}), moments):
"""
STEPS = """    if margin(logits) < lowest:
        lowest, surest = margin(logits), images
        print(f"step {step}: margin {lowest.item():.4f}")
        if best is None and margin(network(in_8_bits(images))) < 0:  # only 8 bits count
            best = in_8_bits(images)
"""
EARLY = """            break
"""
SETTLED = """if best is not None and margin(network(in_8_bits(surest))) < margin(network(best)):
    best = in_8_bits(surest)  # the surest of all, if 8 bits hold it
"""
RESTARTS = """moments = itertools.count()  # counted on where it begins again
for restart in range({restarts}):
    if best is not None:
        break
"""
NEAREST = """best, nearest, least, shortest = None, None, torch.inf, torch.inf
for step, (images, logits) in enumerate(attack()):
    far = distance(images)
    if margin(logits) < {beyond} and far < shortest:
        nearest, shortest = images, far
    if margin(logits) < {beyond} and far < least:  # what fools counts in 8 bits only
        levels = in_8_bits(images)
        if margin(network(levels)) < {beyond} and distance(levels) < least:
            best, least = levels, distance(levels)
            print(f"step {{step}}: distance {{least:.4f}}")
"""
FEWEST = """best = None
for step, (images, logits) in enumerate(attack()):
    if margin(logits) < 0:  # 8 bits hold what is black or white
        best = images
        print(f"step {{step}}: {{distance(best)}} pixels")
"""
LONGER = """if best is None and nearest is not None:  # rounding undoes it: make it longer
    for power in range(1, 25):
        levels = in_8_bits((clean + 1.1**power * (nearest - clean)).clamp(0, 1))
        if margin(network(levels)) < {beyond}:
            best = levels
            break
"""
END = """if {failed}:
    print("not fooled within ε")
else:
    change = best - clean
    changed = (change.abs().amax(1) > 1e-3 / 255).sum()
    print("fooled: read as", network(best).argmax().item())
    print(f"L∞ {{255 * change.abs().max():.2f}}/255, L2 {{change.norm():.4f}}, L0 {{changed}}")
    Image.fromarray((255 * best[0]).round().byte(){pixels}.numpy()).save({file})
"""
REACHED = "distance(best) > epsilon * (1 + 1e-5) + 1e-6"  # with room for the last bits


def written(value: float, norm: str) -> str:
    """Write a length in pixel units; of L∞ as 255ths where it is so many."""
    levels = round(255 * value)
    return f"{levels} / 255" if norm == "linf" and 0 < value == levels / 255 else repr(value)


def settings(**values: object) -> str:
    """Write an assignment of all of these."""
    return f"{', '.join(values)} = {', '.join(map(str, values.values()))}"


def problem(config: Attack, label: int, assigned: str) -> list[str]:
    """Write what is wanted of which picture: `clean`, `label` or `target`, `margin`.

    Args:
        config: how.
        label: the class to get away from.
        assigned: the settings that the method heeds.
    """
    wanted, margin = settings(label=label), MARGIN
    if config.target is not None:
        wanted, margin = settings(label=label, target=config.target), LACK
    return [PROBLEM.format(wanted=wanted, settings=assigned), margin]


def keep_surest(config: Attack, *, random: bool) -> list[str]:
    """Write how the surest is found of what `attack` yields.

    Args:
        config: how.
        random: whether `attack` takes a source of random numbers; only then it begins again.
    """
    begin = "torch.Generator().manual_seed({})" if random else ""
    steps = STEPS + EARLY * config.early
    if random and config.restarts > 1:
        begun = AGAIN.format(source=begin.format(f"{config.seed} + restart"))
        steps = RESTARTS.format(restarts=config.restarts) + textwrap.indent(begun + steps, "    ")
    else:
        steps = ONCE.format(source=begin.format(config.seed)) + steps
    rounded = IN_8_BITS.format(within=WITHIN.get(config.norm, ""))
    return [rounded, ALREADY + SUREST + steps + SETTLED * (not config.early)]


def keep_nearest(config: Attack) -> list[str]:
    """Write how the nearest is found of what `attack` yields."""
    measured = DISTANCE.format(DISTANCES[config.norm])
    if config.norm == "l0":
        return [measured, (ALREADY + FEWEST).format()]
    beyond = "-confidence" if "confidence" in config.about.heeds else "0"
    kept = (ALREADY + NEAREST + LONGER).format(beyond=beyond)
    return [IN_8_BITS.format(within=""), measured, kept]


def end(config: Attack, channels: int, file: str) -> str:
    """Write what came of it, and save it in 8 bits.

    Args:
        config: how.
        channels: of the picture.
        file: where it is saved.
    """
    failed = "best is None" + f" or {REACHED}" * config.about.minimal
    pixels = "[0]" if channels == 1 else ".permute(1, 2, 0)"
    return END.format(failed=failed, pixels=pixels, file=file)
