"""A reader of characters: all gates, how soon it knows its brackets, live training at what cost.

    python -m bench.lstm_gates            three seeds, five rounds
    python -m bench.lstm_gates --quick    one of each, shorter

The bare loop has a process of its own, the run's network, windows, optimiser and clip, and nothing
else; both are measured in turns, so that a machine whose speed drifts does so for both.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from bench import report
from bench.browser import NEXT_STEP, STEP, Server, chromium, settle
from core import lstm_gates
from core.lstm_gates import Plan, texts
from core.lstm_gates.finding import Row, find
from core.shared.engine import Engine, View

SEARCHED = 2_000  # characters, of which the first half chooses a unit
LONG = Plan(steps=1_000_000)  # the defaults, but it does not end while we measure
PLANS = {"default": LONG, "2 × 128": replace(LONG, layers=2, units=128, learning_rate=0.004)}


def plain_loop(seconds: float, plan: Plan) -> float:
    """Train the same network in the barest loop, and count characters a second."""
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
    states, step, first, began, warm = None, 0, 0, time.perf_counter(), False
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
        now = time.perf_counter()
        if now - began > (seconds if warm else seconds / 4):
            devices.synchronise(device)
            now = time.perf_counter()
            if warm:
                return (step - first) * plan.batch * size / (now - began)
            warm, first, began = True, step, now


def bare(seconds: float, name: str) -> float:
    """Measure that loop in a process of its own."""
    command = [sys.executable, "-m", "bench.lstm_gates", "--side", name, "--seconds", str(seconds)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ})
    return float(told.stdout.split()[-1])


def engine_alone(seconds: float, plan: Plan) -> float:
    """Measure the panel's run, nobody looking."""
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        run = engine.submit(lstm_gates.TRAIN, plan, visitor="bench")
        first = moved(engine, run, 0)
        first = moved(engine, run, first.version, seconds / 4)
        began = time.perf_counter()
        last = moved(engine, run, first.version, seconds)
        characters: int = last.state.characters - first.state.characters
        return characters / (time.perf_counter() - began)


def watched(seconds: float) -> float:
    """Measure the default run with its page open in a Chromium that shares the cores."""
    server = Server()
    try:
        with chromium() as browser:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"{server.url}/lstm_gates?lstm_steps=20%2C000")
            settle(page)
            page.get_by_role("button", name="Start", exact=True).click()
            page.wait_for_function(f"() => {STEP} > 20", timeout=120_000)
            page.wait_for_timeout(1000 * seconds / 4)
            first, began = page.evaluate(NEXT_STEP)
            page.wait_for_timeout(1000 * seconds)
            last, ended = page.evaluate(NEXT_STEP)
    finally:
        server.close()
    speed: float = 1000 * (last - first) * LONG.batch * LONG.window / (ended - began)
    return speed


def moved(engine: Engine, run: str, version: int, seconds: float = 0) -> View:
    """Wait for some time and then for the next state."""
    time.sleep(seconds)
    before = engine.view(run)
    while (view := engine.view(run)).state is None or view.version <= max(version, before.version):
        time.sleep(0.002)
    return view


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


def lived(seconds: float, rounds: int) -> list[dict[str, object]]:
    """Compare live training with the bare loop."""
    claims = []
    for name, plan in PLANS.items():
        plain, run = [], []
        for _ in range(rounds):
            plain.append(bare(seconds, name))
            run.append(engine_alone(seconds, plan))
        report.spread(f"{name}: barest loop", plain, "characters/s")
        report.spread(f"{name}: the panel's run, nobody looking", run, "characters/s")
        ratios = [ours / theirs for ours, theirs in zip(run, plain, strict=True)]
        value = report.spread(f"{name}: run / barest loop", ratios, "ratio")
        claims.append(report.claim(f"{name}: run / barest loop, nobody looking", value, 0.95))
        if plan is LONG:
            seen = [watched(seconds) for _ in range(rounds)]
            report.spread(f"{name}: the panel's run, its page open", seen, "characters/s")
            ratios = [ours / theirs for ours, theirs in zip(seen, plain, strict=True)]
            value = report.spread(f"{name}: run / barest loop, page open", ratios, "ratio")
            claims.append(report.claim(f"{name}: run / barest loop, page open", value, 0.85))
    return claims


def main() -> None:
    """Measure and print what holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help="about a minute")
    parser.add_argument("--side", choices=tuple(PLANS), help="used by the bench itself")
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    asked = parser.parse_args()
    if asked.side:
        print(plain_loop(asked.seconds, PLANS[asked.side]))
        return
    with tempfile.TemporaryDirectory() as folder, Engine(Path(folder)) as engine:
        engine.call("math:sqrt", 1.0)
        device = engine.ready()["owners"][0]["name"]
    report.heading("bench.lstm_gates", device)
    claims = learned(1 if asked.quick else 3)
    claims += lived(3.0 if asked.quick else asked.seconds, 1 if asked.quick else 5)
    from bench.gates import gated  # with torch, which would take its part of the cores before
    from core.shared.devices import choose

    claims += gated(choose(None), 2 if asked.quick else 9)
    report.finish("lstm_gates", device, claims)


if __name__ == "__main__":
    main()
