"""Several target arms against one control, computed from the definitions with numpy (and Dunnett's test by scipy).

    python tests/data/several_arms/generate.py        writes customers.csv and expected.json beside this file

Every estimator is written out with its own formula for the score of each customer (see below); the covariance of two effects is the sum of the products of
their scores, over customers or over clusters. Nothing here comes from promolift.
"""
import json
import pathlib

import numpy as np
import scipy
from scipy import stats

here = pathlib.Path(__file__).parent
rng = np.random.default_rng(20240611)

n = 90
variant = rng.permutation(np.repeat([0, 1, 2, 3], [36, 22, 18, 14]))  # 0 is the control
stratum = np.where(rng.random(n) < 0.4, 0, 1)
cluster = rng.integers(0, 15, n)
x = np.column_stack([rng.normal(10, 3, n), np.exp(rng.normal(0, 0.8, n))]) + 0.8 * (variant == 2)[:, None]
noise = rng.normal(0, 1, 15)[cluster][:, None]
y = np.column_stack([4 + 0.9 * x[:, 0] + x[:, 1], 2 + 0.3 * x[:, 0]]) + rng.normal(0, 2, (n, 2)) + noise + variant[:, None] * [0.7, 0.2] + stratum[:, None]
x, y = np.round(x, 4), np.round(y, 4)
rows = ["variant,stratum,cluster,x1,x2,y1,y2"]
rows += [f"{variant[i]},{stratum[i]},{cluster[i]},{x[i,0]},{x[i,1]},{y[i,0]},{y[i,1]}" for i in range(n)]
(here / "customers.csv").write_text("\n".join(rows) + "\n")

arms = [1, 2, 3]


def unadjusted(k, rows, share=1.0):
    """Scores whose squares sum to s^2 / n in each arm, and the effect."""
    score, effect = np.zeros((n, 2)), np.zeros(2)
    for code, sign in [(k, 1), (0, -1)]:
        own = np.flatnonzero(rows & (variant == code))
        m = len(own)
        score[own] = sign * share * (y[own] - y[own].mean(0)) / np.sqrt(m * (m - 1))
        effect += sign * share * y[own].mean(0)
    return effect, score


def att(k):
    """OLS of the controls, projected to the target's covariates; HC2 in the control, the spread of y - x'B in the target."""
    target, control = np.flatnonzero(variant == k), np.flatnonzero(variant == 0)
    X = np.column_stack([np.ones(len(control)), x[control]])
    inverse = np.linalg.inv(X.T @ X)
    beta = inverse @ X.T @ y[control]
    at = np.concatenate([[1], x[target].mean(0)])
    weight = X @ inverse @ at  # the weights that predict the target's mean
    hat = np.einsum("ij,jk,ik->i", X, inverse, X)
    score = np.zeros((n, 2))
    score[control] = -(weight / np.sqrt(1 - hat))[:, None] * (y[control] - X @ beta)
    r = y[target] - x[target] @ beta[1:]
    m = len(target)
    score[target] = (r - r.mean(0)) / np.sqrt(m * (m - 1))
    return y[target].mean(0) - at @ beta, score


def clustered(k):
    """Sums over clusters of the residuals times 1/n of their arm."""
    score = np.zeros((n, 2))
    for code, sign in [(k, 1), (0, -1)]:
        own = np.flatnonzero(variant == code)
        score[own] = sign * (y[own] - y[own].mean(0)) / len(own)
    return np.array([score[cluster == g].sum(0) for g in range(15)])


def joined(per_arm):
    effects = np.concatenate([e for e, _ in per_arm])
    scores = np.concatenate([s for _, s in per_arm], axis=1)
    return {"effects": effects.tolist(), "covariance": (scores.T @ scores).tolist()}


everybody = np.ones(n, bool)
stratified = []
for k in arms:
    parts = [unadjusted(k, stratum == s, np.mean(stratum[variant == k] == s)) for s in (0, 1)]
    stratified.append((sum(e for e, _ in parts), sum(s for _, s in parts)))
cr0 = [(unadjusted(k, everybody)[0], clustered(k)) for k in arms]

# Dunnett: one variance, so that the joint intervals of a large sample with equal spread are nearly his.
big = [np.round(rng.normal(m, 3, size), 4) for m, size in [(20, 1500), (20.4, 1500), (19.9, 1500), (20.2, 1500)]]
dunnett = stats.dunnett(*big[1:], control=big[0], random_state=np.random.default_rng(1))
interval = dunnett.confidence_interval(0.95)
(here / "dunnett.csv").write_text("\n".join(["control,a,b,c"] + [",".join(map(str, row)) for row in zip(*big)]) + "\n")

expected = {
    "made_with": f"numpy {np.__version__}, scipy {scipy.__version__}",
    "unadjusted": joined([unadjusted(k, everybody) for k in arms]),
    "regression_att": joined([att(k) for k in arms]),
    "stratified": joined(stratified),
    "cr0": joined(cr0),
    "dunnett": {"p": dunnett.pvalue.tolist(), "low": interval.low.tolist(), "high": interval.high.tolist()},
}
(here / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
