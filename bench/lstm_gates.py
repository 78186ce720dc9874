"""A reader of characters: all gates, how soon it knows its brackets, live training at what cost.

    python -m bench.lstm_gates            three seeds, five rounds
    python -m bench.lstm_gates --quick    one of each, shorter

The bare loop has a process of its own, the run's network, windows, optimiser and clip, and nothing
else; all sides take short turns, so that a machine whose speed drifts does so for all of them.
"""

import argparse
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import report
from bench.turns import TURNS, Counter, at_work, loop, opened, speeds
from core import lstm_gates
from core.lstm_gates import Plan, texts
from core.lstm_gates.finding import Row, find
from core.shared.engine import Engine

SEARCHED = 2_000  # characters, of which the first half chooses a unit
LONG = Plan(steps=1_000_000)  # the defaults, but it does not end while we measure
PLANS = {"default": LONG, "2 × 128": replace(LONG, layers=2, units=128, learning_rate=0.004)}


def plain_loop(counter: Counter, plan: Plan) -> None:
    """Train the same network in the barest loop, for ever."""
    import torch
    import torch.nn.functional as F

    from core.lstm_gates.readers import build, encode
    from core.shared import devices

    device = devices.choose()
    devices.prepare(device)
    text = texts.read(plan.text, plan.characters)
    reader = build(plan, text.alphabet, device)
    optimiser = torch.optim.Adam(reader.parameters(), plan.learning_rate, fused=True)
    codes = encode(text.content[: text.cut], text.alphabet)
    along = len(codes) // plan.batch
    places = codes[: along * plan.batch].view(plan.batch, along).to(device)
    size, windows = plan.window, (along - 1) // plan.window
    states, step = None, 0
    while True:
        place = step % windows * size
        logits, states = reader(places[:, place : place + size], states if place else None)
        wanted = places[:, place + 1 : place + size + 1]
        loss = F.cross_entropy(logits.flatten(0, 1), wanted.flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), plan.clip)
        optimiser.step()
        states = [tuple(part.detach() for part in state) for state in states]
        step += 1
        counter.add(plan.batch * size)


def brackets(seed: int) -> tuple[float, float, float, Row]:
    """Learn the brackets by the defaults.

    Returns: seconds, share of the forced characters that are right, probability of impossible ones,
        and the unit that goes with the depth on the half of some text that did not choose it.
    """
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        run = engine.submit(lstm_gates.TRAIN, Plan(seed=seed), visitor="bench")
        while (view := engine.view(run)).state is None:
            time.sleep(0.01)
        began = time.perf_counter()
        while (view := engine.view(run)).live:
            time.sleep(0.01)
        took = time.perf_counter() - began
        if view.status != "finished":
            raise RuntimeError(view.failure)
        right, impossible = view.state.forced
        text = texts.read("brackets")
        part = slice(text.cut, text.cut + SEARCHED)
        found = engine.ask(run, lstm_gates.NEWEST, "gates", text.content[part])
        return took, right, impossible, find(found.values, text.truth["depth"][part]).rows[0]


def learned(seeds: int) -> list[dict[str, object]]:
    """Tell how well three seeds know their brackets, and how soon."""
    results = [brackets(seed) for seed in range(seeds)]
    for seed, (took, right, impossible, best) in enumerate(results):
        print(
            f"seed {seed}: {took:.1f} s, {100 * right:.2f} % of the forced characters right, "
            f"{100 * impossible:.3f} % of probability on impossible ones; {best.gate} of unit "
            f"{best.unit} goes with the depth, correlation {best.held_out:.3f} on held-out text"
        )
    seconds, shares, chances, rows = zip(*results, strict=True)
    return [
        report.claim("brackets: seconds, the slowest seed", max(seconds), 15, at_most=True),
        report.claim("brackets: forced characters right, the worst seed", min(shares), 0.99),
        report.claim(
            "brackets: probability of impossible ones, the worst seed",
            max(chances),
            0.001,
            at_most=True,
        ),
        report.claim(
            "brackets: correlation of the unit that was found with the depth, held out, median",
            statistics.median(row.held_out for row in rows),
            0.85,
        ),
    ]


def lived(figures: int, turns: int) -> list[dict[str, object]]:
    """Compare live training with the bare loop, for the default with its page open too."""
    claims = []
    for name, plan in PLANS.items():
        goals = {"run, nobody looking": 0.95}
        window = plan.batch * plan.window
        with ExitStack() as stack:
            sides = {"barest loop": stack.enter_context(loop("bench.lstm_gates", ["--side", name]))}
            started = at_work(lstm_gates.TRAIN, plan, plan.steps * window)
            sides["run, nobody looking"] = stack.enter_context(started)
            if plan is LONG:
                goals["run, its page open"] = 0.85
                page = opened("lstm_gates", {"lstm_steps": "20,000"}, window)
                sides["run, its page open"] = stack.enter_context(page)[0]
            found = speeds(sides, figures, turns)
        for text, values in found.items():
            report.spread(f"{name}: {text}", values, "characters/s")
        for text, goal in goals.items():
            pairs = zip(found[text], found["barest loop"], strict=True)
            value = report.spread(f"{name}: {text} / bare", [a / b for a, b in pairs], "ratio")
            claims.append(report.claim(f"{name}: {text} / barest loop", value, goal))
    return claims


def main() -> None:
    """Measure and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument("--side", choices=tuple(PLANS), help="used by the bench itself")
    parser.add_argument("--count", help="likewise")
    asked = parser.parse_args()
    if asked.side:
        plain_loop(Counter(asked.count), PLANS[asked.side])
        return
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        engine.call("math:sqrt", 1.0)
        device = engine.ready()["owners"][0]["name"]
    report.heading("bench.lstm_gates", device)
    claims = learned(1 if asked.quick else 3)
    claims += lived(*((1, 2) if asked.quick else (5, TURNS)))
    from bench.gates import gated  # with torch, which would take its part of the cores before
    from core.shared.devices import choose

    claims += gated(choose(None), 2 if asked.quick else 9)
    report.finish("lstm_gates", device, claims)


if __name__ == "__main__":
    main()
