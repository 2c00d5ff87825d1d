"""How much sensor columns say about each other: mutual information of a table of pandas.

    python sensors.py [TABLE.csv]               without a table, one is made up
"""

import sys

import cpc
import numpy as np
import pandas as pd


def made_up(rows=2000):
    """A valve, whose position a pump follows five minutes later, and a flow that depends on both, but on neither linearly."""
    rng = np.random.default_rng(0)
    valve = np.zeros(rows)
    for t in range(1, rows):
        valve[t] = 0.9 * valve[t - 1] + rng.normal()
    pump = np.roll(valve, 5) + rng.normal(size=rows)
    flow = np.abs(valve) * np.sign(pump) + 0.3 * rng.normal(size=rows)
    return pd.DataFrame({"valve": valve, "pump": pump, "flow": flow, "room": rng.normal(size=rows)})


def main(path=None):
    table = pd.read_csv(path) if path else made_up()
    first, second, *_, last = table.columns
    pairs = cpc.mi.matrix(table)
    print(pairs)
    with open("pairs.svg", "w") as file:
        file.write(pairs._repr_svg_())
    print(cpc.mi.select(table, target=table.columns[2]))
    found = cpc.mi.estimate(table, x=first, y=second, split="blocked", estimator="ksg")
    print(f"I({first}; {second}) = {float(found):.3f} {found.unit}, {found.interval}")
    lags = cpc.mi.transfer(table, from_=first, to=second, lags=range(1, 9))
    most = max(lags[0]["lags"], key=lambda lag: lag["transfer"]["estimate"])
    print(f"{first} says most about {second} {most['lag']} rows later, p = {most['transfer']['p_any']:.3f}")
    return most["lag"]


if __name__ == "__main__":
    main(*sys.argv[1:])
