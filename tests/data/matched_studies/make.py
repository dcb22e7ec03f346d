"""Matched pairs, given weights and coarsened exact matching on 400 customers of each arm of the bundled sample, in numpy, scipy and statsmodels alone.

python make.py [clone of the repository] writes groups.csv and expected.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy import stats

root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[3])
here = Path(__file__).parent
sample = root / "examples/data/senior_meat"

FOCAL = {"A01", "A02", "A03", "A04", "A05", "A06"}
WINDOWS = {"baseline": ("2024-03-11", "2024-05-05"), "promotion": ("2024-05-06", "2024-05-30"), "post": ("2024-05-31", "2024-06-27")}
EFFECTS = {
    "direct": ["focal.promotion"],
    "cannibalisation": ["substitute.promotion"],
    "halo": ["other.promotion"],
    "forward_buying": ["focal.post", "substitute.post"],
    "carry_over": ["other.post"],
    "total": [f"{role}.{period}" for role in ("focal", "substitute", "other") for period in ("promotion", "post")],
}

everybody = pd.read_csv(sample / "assignments.csv")
products = pd.read_csv(sample / "products.csv")
lines = pd.read_csv(sample / "transactions.csv.gz")

rng = np.random.default_rng(11)
arms = [everybody[everybody.arm == arm].sample(400, random_state=rng) for arm in ("target", "control")]
groups = pd.concat(arms).sample(frac=1, random_state=rng).reset_index(drop=True)

category = dict(zip(products["product"], products.category))
lines["role"] = ["focal" if p in FOCAL else "substitute" if category.get(p) == "meat" else "other" for p in lines["product"]]
lines["period"] = None
for name, (first, last) in WINDOWS.items():
    lines.loc[(lines.day >= first) & (lines.day <= last), "period"] = name
lines = lines[lines.period.notna() & lines.customer.isin(groups.customer)]
cells = {
    measure: lines.assign(cell=lines.role + "." + lines.period).pivot_table(index="customer", columns="cell", values=column, aggfunc="sum").fillna(0.0)
    .reindex(groups.customer, fill_value=0.0).reset_index(drop=True).astype(float).round(4)
    for measure, column in (("net_sales", "net_sales"), ("units", "quantity"))
}

# Pairs by rank of what was bought before, weights by place: every seventh is left out, in both arms.
before = cells["net_sales"][[c for c in cells["net_sales"] if c.endswith(".baseline")]].sum(axis=1)
groups["pair"] = ["p%03d" % rank for rank in before.groupby(groups.arm).rank(method="first").astype(int)]
place = groups.groupby("arm").cumcount()
groups["weight"] = np.where(place % 7 == 0, 0.0, 0.5 + 0.25 * ((place + (groups.arm == "target")) % 5))
groups.to_csv(here / "groups.csv", index=False)
target = (groups.arm == "target").to_numpy()


def outcome(measure, effect):
    return cells[measure][[c for c in EFFECTS[effect] if c in cells[measure]]].sum(axis=1).to_numpy(float)


def outcomes():
    return ((measure, effect, outcome(measure, effect)) for measure in cells for effect in EFFECTS)


def paired():
    found = {}
    for measure, effect, y in outcomes():
        wide = groups.assign(y=y).pivot(index="pair", columns="arm", values="y")
        test = stats.ttest_rel(wide.target, wide.control)
        ci = test.confidence_interval(0.95)
        difference = wide.target - wide.control
        found.setdefault(measure, {})[effect] = {
            "tau": difference.mean(), "se": difference.std(ddof=1) / np.sqrt(len(difference)), "df": float(test.df), "p": test.pvalue,
            "low": ci.low, "high": ci.high,
        }
    return {"effects": found, "pairs": int(groups.pair.nunique())}


def weighted(v):
    """Difference of weighted means; its standard error is HC2 of weighted least squares on the arm."""
    keep = v > 0
    found = {}
    shares = {arm: v[mask & keep] / v[mask & keep].sum() for arm, mask in (("target", target), ("control", ~target))}
    for measure, effect, y in outcomes():
        fit = sm.WLS(y[keep], sm.add_constant(target[keep].astype(float)), weights=v[keep]).fit(cov_type="HC2")
        sides = []
        for arm, mask in (("target", target), ("control", ~target)):
            w = shares[arm]
            e = y[mask & keep] - (w * y[mask & keep]).sum()
            sides.append(((w**2 * e**2 / (1 - w)).sum(), 1 / (w**2).sum() - 1))
        total = sum(variance for variance, _ in sides)
        df = total**2 / sum(variance**2 / df for variance, df in sides)
        tau, se = fit.params[1], fit.bse[1]
        assert np.isclose(se**2, total)
        t = stats.t.ppf(0.975, df)
        found.setdefault(measure, {})[effect] = {
            "tau": tau, "se": se, "df": df, "p": 2 * stats.t.sf(abs(tau / se), df), "low": tau - t * se, "high": tau + t * se,
            "total": tau * int((target & keep).sum()),
        }
    return {
        "effects": found,
        "effective_size": {arm: 1 / (w**2).sum() for arm, w in shares.items()},
        "largest_share": {arm: w.max() for arm, w in shares.items()},
        "outside": {"target": int((target & ~keep).sum()), "control": int((~target & ~keep).sum())},
    }


def augmented(v):
    """The weighted difference less what the controls' weighted regression on the covariates makes of the gap that is left."""
    x = np.column_stack([cells["net_sales"][f"{role}.baseline"] for role in ("focal", "substitute", "other")])
    found = {}
    for measure, effect, y in outcomes():
        fit = sm.WLS(y[~target], sm.add_constant(x[~target]), weights=v[~target]).fit()
        mean = lambda values, mask: np.average(values[mask], weights=v[mask], axis=0)
        gap = mean(x, target) - mean(x, ~target)
        found.setdefault(measure, {})[effect] = {"tau": mean(y, target) - mean(y, ~target) - gap @ fit.params[1:]}
    return {"effects": found}


def quantile_codes(x, count):
    """Right-closed groups at the inverted-cdf quantiles; a value with more than one customer in `count` is by itself; few values: each by itself."""
    if len(np.unique(x)) <= count:
        return np.unique(x, return_inverse=True)[1]
    cuts = np.unique(np.quantile(x, np.arange(1, count) / count, method="inverted_cdf"))
    heavy = np.array([count * (x == cut).sum() > len(x) for cut in cuts])
    at = np.searchsorted(cuts, x, side="left")
    below_heavy = np.array([i < len(cuts) and heavy[i] and value < cuts[i] for i, value in zip(at, x)])
    return 2 * at + below_heavy


def matched(code):
    """Least squares on the arm and a dummy for each cell, weighted; `df` as the documentation of `CoarsenedExact` states it.

    The weights are matches, not precisions: with customers alike the residual of row i has the variance sum_j (I - H)_ij^2, H the whole matrix that makes the
    fitted values, which is 1 - h_i only where all weights are equal.
    """
    cell = pd.DataFrame(code).astype(str).agg("|".join, axis=1)
    n_target, n_control = (cell.map(cell[mask].value_counts()).fillna(0).to_numpy() for mask in (target, ~target))
    both = (n_target > 0) & (n_control > 0)
    v = np.where(both, np.where(target, 1.0, n_target / np.maximum(n_control, 1)), 0.0)
    keep = v > 0
    dummies = pd.get_dummies(cell[keep]).to_numpy(float)
    x = np.column_stack([target[keep].astype(float), dummies])
    sizes = {arm: v[mask].sum() ** 2 / (v[mask] ** 2).sum() for arm, mask in (("target", target), ("control", ~target))}
    found = {}
    for measure, effect, y in outcomes():
        fit = sm.WLS(y[keep], x, weights=v[keep]).fit()
        tau = fit.params[0]
        by_hand = y[keep & target].mean() - np.average(y[keep & ~target], weights=v[keep & ~target])
        assert np.isclose(tau, by_hand)
        scaled = np.linalg.pinv(x * np.sqrt(v[keep])[:, None])
        w = scaled[0] * np.sqrt(v[keep])
        rest = np.eye(keep.sum()) - x @ scaled * np.sqrt(v[keep])[None, :]
        assert np.allclose(rest @ y[keep], fit.resid)
        part = w**2 * fit.resid**2 / (rest**2).sum(1)
        sides = [part[target[keep]].sum(), part[~target[keep]].sum()]
        se = np.sqrt(sum(sides))
        within = (sum(sizes.values()) - dummies.shape[1] - 1) / 2
        df = sum(sides) ** 2 / sum(side**2 / min(within, size - 1) for side, size in zip(sides, sizes.values()))
        t = stats.t.ppf(0.975, df)
        found.setdefault(measure, {})[effect] = {
            "tau": tau, "se": se, "df": df, "p": 2 * stats.t.sf(abs(tau / se), df), "low": tau - t * se, "high": tau + t * se,
            "total": tau * int((target & keep).sum()),
        }
    return {
        "effects": found,
        "effective_size": sizes,
        "largest_share": {arm: (v[mask] / v[mask].sum()).max() for arm, mask in (("target", target), ("control", ~target))},
        "outside": {"target": int((target & ~keep).sum()), "control": int((~target & ~keep).sum())},
        "cells": int(dummies.shape[1]),
    }


baseline = {role: cells["net_sales"][f"{role}.baseline"].to_numpy() for role in ("focal", "substitute", "other")}
weight = groups.weight.to_numpy()
expected = {
    "matched_pairs": paired(),
    "given_weights": weighted(weight),
    "augmented": augmented(weight),
    "coarsened_exact": matched({role: quantile_codes(x, 5) for role, x in baseline.items()}),
    "coarsened_by_cuts": matched({
        "focal": quantile_codes(baseline["focal"], 4),
        "substitute": np.searchsorted([0.01, 20.0, 60.0], baseline["substitute"], side="right"),
        "other": quantile_codes(baseline["other"], 4),
    }),
}
(here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
for name, found in expected.items():
    print(name, found["effects"]["net_sales"]["total"], found.get("outside"))
