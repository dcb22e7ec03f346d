"""Computes expected.json from customers.csv: ratios of two totals in each arm, their difference and relative change, arms compared plainly.

    python make.py          # needs numpy and scipy; with --draw it draws customers.csv anew first

Nothing is solved in closed form, so that it shares no formula with the library:

    an arm's ratio      R = sum n / sum d; its interval is all r at which the one-sample t test of n - r d against 0 (scipy.stats.ttest_1samp) does not
                        reject, found by bisection on the p-value (Fieller 1954)
    the difference      Welch's test (scipy.stats.ttest_ind, equal_var = False) of u_i = R + (n_i - R d_i) / mean(d), the linearised ratios of each arm:
                        the delta method, as for ratio metrics in Deng, Knoblich and Lu (2018)
    relative change     all r at which (U_T - U_C) - r U_C is not told from 0, U the mean of u with its Welch variance, at the critical value of the
                        difference's test; by bisection
"""

import csv
import json
import pathlib
import sys

import numpy as np
from scipy import optimize, stats

HERE = pathlib.Path(__file__).parent
SEED = 4_711
# Name, numerator, denominator: columns of customers.csv, or 1 for each customer.
RATIOS = [
    ("price per unit", "focal_sales", "focal_units"),
    ("units per basket", "units", "baskets"),
    ("sales per basket", "sales", "baskets"),
    ("share of the offer", "focal_sales", "sales"),
    ("redemption rate", "redemptions", "one"),
    ("sales per customer", "sales", "one"),
]
CONFIDENCE = 0.95


def draw():
    """Few customers, skewed, arms of different size: intervals are far from symmetric. Amounts are whole cents."""
    rng = np.random.default_rng(SEED)
    rows = []
    for customer in range(70):
        target = int(customer < 30)
        baskets = int(rng.poisson(1.6))
        units = focal_units = redemptions = focal_cents = other_cents = 0
        for basket in range(baskets):
            focal = int(rng.poisson(1.1 + 0.8 * target))
            other = 1 + int(rng.geometric(0.35))
            redeems = int(target and focal > 0 and rng.random() < 0.4)
            focal_units += focal
            units += focal + other
            redemptions += redeems
            focal_cents += focal * int(rng.integers(180, 260)) - (30 * focal if redeems else 0)
            other_cents += other * int(rng.integers(90, 900))
        rows.append([customer, target, baskets, units, focal_units, redemptions, focal_cents, other_cents])
    with open(HERE / "customers.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow("customer target baskets units focal_units redemptions focal_cents other_cents".split())
        writer.writerows(rows)


def read():
    with open(HERE / "customers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    data = {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}
    data["focal_sales"] = data["focal_cents"] / 100
    data["sales"] = (data["focal_cents"] + data["other_cents"]) / 100
    data["one"] = np.ones(len(rows))
    return data


def outwards(inside, start, direction):
    """The place at which `inside`, positive at `start`, turns negative."""
    step = max(abs(start), 1.0) * 1e-3
    while inside(start + direction * step) > 0:
        step *= 2
        assert step < 1e6, "not bounded"
    return optimize.brentq(inside, start, start + direction * step, xtol=1e-14, rtol=8.9e-16, maxiter=500)


def of_arm(n, d):
    ratio = n.sum() / d.sum()
    if np.ptp(d) == 0:
        low, high = stats.ttest_1samp(n / d, 0).confidence_interval(CONFIDENCE)
        return ratio, [low, high]

    def accepted(r):
        # Near the estimate nothing is left of n - r d but rounding of its mean: p is 1 there.
        return stats.ttest_1samp(n - r * d, 0).pvalue - (1 - CONFIDENCE)

    return ratio, [outwards(accepted, ratio, -1), outwards(accepted, ratio, 1)]


def compare(n, d, target):
    arms = {}
    u = {}
    for name, rows in (("target", target), ("control", ~target)):
        ratio, interval = of_arm(n[rows], d[rows])
        arms[name] = {"estimate": ratio, "interval": interval, "numerator": n[rows].mean(), "denominator": d[rows].mean()}
        u[name] = ratio + (n[rows] - ratio * d[rows]) / d[rows].mean()
    test = stats.ttest_ind(u["target"], u["control"], equal_var=False)
    interval = test.confidence_interval(CONFIDENCE)
    difference = u["target"].mean() - u["control"].mean()
    variance = {name: values.var(ddof=1) / len(values) for name, values in u.items()}
    critical = stats.t.isf((1 - CONFIDENCE) / 2, test.df)
    control = arms["control"]["estimate"]

    def inside(r):
        # (T - C) - r C = T - (1 + r) C
        return critical**2 * (variance["target"] + (1 + r) ** 2 * variance["control"]) - (difference - r * control) ** 2

    change = difference / control
    arms["difference"] = {
        "estimate": difference, "std_error": (variance["target"] + variance["control"]) ** 0.5, "df": test.df, "p_value": test.pvalue,
        "ci_low": interval.low, "ci_high": interval.high,
    }
    arms["relative"] = {"estimate": change, "interval": [outwards(inside, change, -1), outwards(inside, change, 1)]}
    return arms


def main():
    if "--draw" in sys.argv:
        draw()
    data = read()
    target = data["target"] == 1
    expected = {name: compare(data[n], data[d], target) for name, n, d in RATIOS if not (name == "redemption rate")}
    # No control redeems: a rate without spread, and no relative change to speak of.
    rate = data["redemptions"]
    assert rate[~target].sum() == 0
    ratio, interval = of_arm(rate[target], data["one"][target])
    test = stats.ttest_ind(rate[target], rate[~target], equal_var=False)
    limits = test.confidence_interval(CONFIDENCE)
    expected["redemption rate"] = {
        "target": {"estimate": ratio, "interval": interval},
        "difference": {"estimate": ratio, "df": test.df, "p_value": test.pvalue, "ci_low": limits.low, "ci_high": limits.high},
    }
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1, default=float) + "\n")


main()
