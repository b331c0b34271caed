"""scikit-learn: cyclic coordinate descent, in Cython."""

from importlib.metadata import version

import numpy as np


def lasso(data):
    """Each column of Y by one fit after another; scikit-learn divides the squares by the rows."""
    from sklearn.linear_model import Lasso

    A, rows = np.asfortranarray(data["A"]), len(data["A"])
    columns = [np.ascontiguousarray(y) for y in data["Y"].T]
    found = []

    def fit(y, weight):
        model = Lasso(weight / rows, fit_intercept=False, tol=float(data["sklearn"]))
        return model.set_params(max_iter=100_000).fit(A, y).coef_

    def run():
        found[:] = [fit(y, w) for y, w in zip(columns, data["weights"], strict=True)]

    return run, lambda: np.stack(found, axis=1), {"version": version("scikit-learn")}
