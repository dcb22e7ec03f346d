"""Computes expected.json from customers.csv: CR1 and CR2 of three least squares whose clusters straddle the arms.

    python make.py          # needs numpy only; with --draw it draws customers.csv anew first

Everything is written out from the definitions, with whole N x N matrices and no short cut, so that it shares no formula with the library:

    H    = X (X'X)^-1 X'                         the hat matrix
    A_g  = (I - H_gg)^(-1/2)                     symmetric root, by eigen-decomposition
    V    = sum_g (c'M X_g' A_g e_g)^2            CR2, M = (X'X)^-1, c picks the coefficient of T (Bell and McCaffrey 2002)
    p_g  = (I - H)[:, g] A_g X_g M c             an N vector for each cluster
    df   = (sum_g p_g'p_g)^2 / sum_gh (p_g'p_h)^2  Satterthwaite, errors independent and alike (Pustejovsky and Tipton 2018, eq. 11)

CR1 is sum_g (c'M X_g' e_g)^2 times G/(G - 1) x (N - 1)/(N - K), with G - 1 degrees of freedom. The mean of the covariates is over all customers.
"""

import csv
import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
SEED = 20_180
# Customers of each cluster in target and control: twelve clusters straddle the arms, three are of one arm only, one of them a single customer.
CLUSTERS = [(1, 6), (2, 2), (5, 1), (3, 4), (1, 1), (7, 3), (2, 5), (4, 4), (1, 2), (6, 2), (3, 3), (2, 1), (4, 0), (0, 5), (0, 1)]


def draw():
    """Clusters move covariates and outcomes, and react differently to the offer; the second outcome is heavy-tailed."""
    rng = np.random.default_rng(SEED)
    rows = []
    for cluster, (target, control) in enumerate(CLUSTERS):
        level, answer, shift = rng.normal(0, 6), rng.normal(0, 3), rng.normal(0, 4)
        for arm in [1] * target + [0] * control:
            x1 = 40 + shift + rng.gamma(3, 5)
            x2 = rng.poisson(4) + 0.05 * x1
            y1 = 20 + level + 0.7 * x1 - 1.5 * x2 + arm * (4 + answer + 0.2 * (x1 - 55)) + rng.normal(0, 5)
            y2 = 3 + 0.4 * level + 0.1 * x1 + arm * (1 - 0.3 * answer) + rng.lognormal(0, 1)
            rows.append([cluster, arm] + [f"{value:.2f}" for value in (x1, x2, y1, y2)])
    # Neither arms nor clusters stand together.
    rng.shuffle(rows)
    with open(HERE / "customers.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["cluster", "target", "x1", "x2", "y1", "y2"])
        writer.writerows(rows)


def read():
    with open(HERE / "customers.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def inverse_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(values**-0.5) @ vectors.T


def fit(regressors, outcomes, clusters):
    """Coefficient 1 of each outcome, with the joint CR1 and CR2 covariance and both degrees of freedom."""
    n, k = regressors.shape
    bread = np.linalg.inv(regressors.T @ regressors)
    residual_maker = np.eye(n) - regressors @ bread @ regressors.T
    coefficients = bread @ regressors.T @ outcomes
    residuals = outcomes - regressors @ coefficients
    names = np.unique(clusters)
    plain, adjusted, working = [], [], []
    for name in names:
        g = np.flatnonzero(clusters == name)
        weight = regressors[g] @ bread[:, 1]
        root = inverse_root(residual_maker[np.ix_(g, g)])
        plain.append(weight @ residuals[g])
        adjusted.append(weight @ root @ residuals[g])
        working.append(residual_maker[:, g] @ root @ weight)
    count = len(names)
    plain, adjusted, working = np.array(plain), np.array(adjusted), np.array(working)
    products = working @ working.T
    cr1 = plain.T @ plain * count / (count - 1) * (n - 1) / (n - k)
    cr2 = adjusted.T @ adjusted
    answer = lambda covariance, df: {"se": np.sqrt(np.diag(covariance)).tolist(), "covariance": covariance[0, 1], "df": df}
    return {
        "point": coefficients[1].tolist(),
        "cr1": answer(cr1, count - 1.0),
        "cr2": answer(cr2, np.trace(products) ** 2 / np.sum(products**2)),
    }


def main():
    if "--draw" in sys.argv:
        draw()
    data = read()
    target, ones = data["target"], np.ones(len(data["target"]))
    covariates = np.column_stack([data["x1"], data["x2"]])
    centred = covariates - covariates.mean(axis=0)
    outcomes = np.column_stack([data["y1"], data["y2"]])
    models = {
        "unadjusted": np.column_stack([ones, target]),
        "cuped": np.column_stack([ones, target, covariates]),
        "regression": np.column_stack([ones, target, centred, target[:, None] * centred]),
    }
    expected = {name: fit(regressors, outcomes, data["cluster"]) for name, regressors in models.items()}
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
