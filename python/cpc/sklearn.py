"""Transformers for scikit-learn."""

import os
import warnings

import numpy as np

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.feature_selection import SelectorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError("cpc.sklearn needs scikit-learn 1.6 or newer: pip install scikit-learn") from error

from . import mi
from ._errors import Warning
from ._model import load

__all__ = ["CpcFeatures", "MutualInformationSelector"]


class CpcFeatures(TransformerMixin, BaseEstimator):
    """Features of recordings by a trained model, pooled to one row for each.

    Parameters
    ----------
    model : str or path
        The model, as for `cpc.load`.
    layer : str or list of str, optional
        The layer; by default the model's first. Several are concatenated.
    rate : float, optional
        Samples per second of arrays; by default the model's.
    pool : {"mean", "mean-std", "max", "last"}
        What is taken of the frames of a recording.
    device : str
        Where to compute.

    Attributes
    ----------
    n_features_out_ : int
        The number of features.
    """

    def __init__(self, model, *, layer=None, rate=None, pool="mean", device="auto"):
        self.model = model
        self.layer = layer
        self.rate = rate
        self.pool = pool
        self.device = device

    def fit(self, X, y=None):
        """Opens the model; nothing is learned.

        Parameters
        ----------
        X : list of arrays or of files
            Recordings.
        y : ignored
        """
        self.model_ = load(self.model, device=self.device)
        self.n_features_out_ = self._rows(X[:1]).shape[1]
        return self

    def transform(self, X):
        """One row of features for each recording (recordings, features)."""
        check_is_fitted(self, "model_")
        return self._rows(X)

    def _rows(self, X):
        pools = {
            "mean": lambda c: c.mean(axis=0),
            "mean-std": lambda c: np.concatenate([c.mean(axis=0), c.std(axis=0)]),
            "max": lambda c: c.max(axis=0),
            "last": lambda c: c[-1],
        }
        if self.pool not in pools:
            raise ValueError(f"pool={self.pool!r}\nchoose from {', '.join(pools)}")
        if isinstance(X, (str, bytes, os.PathLike)):
            raise ValueError("X is one name\ngive a list of recordings: their files, or their samples as arrays")
        frames = self.model_.features(list(X), rate=self.rate, layer=self.layer, progress=False)
        if not frames:
            raise ValueError("X has no recordings\ngive at least one")
        if isinstance(frames[0], dict):
            frames = [np.concatenate(list(layers.values()), axis=1) for layers in frames]
        return np.stack([pools[self.pool](c) for c in frames])

    def get_feature_names_out(self, input_features=None):
        """The names of the features: cpc0, cpc1, ..."""
        check_is_fitted(self, "model_")
        return np.array([f"cpc{i}" for i in range(self.n_features_out_)], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.no_validation = True
        tags.requires_fit = True
        tags.input_tags.two_d_array = False
        return tags


class MutualInformationSelector(SelectorMixin, BaseEstimator):
    """Chooses columns by what they say about the target together: `cpc mi select`.

    Parameters
    ----------
    n_features_to_select : int
        The most columns that are chosen.
    criterion : {"jmi", "conditional", "mrmr", "cmim"}
        How the next column is chosen. Selection ends where it adds nothing.
    discrete_target : bool or "auto"
        Whether the target has labels; "auto" for text, booleans and classes of integers.
    random_state : int, RandomState or None
        The seed of permutations and ties.

    Attributes
    ----------
    support_ : array of bool (columns)
        Which columns are chosen.
    ranking_ : list of int
        The chosen columns in the order in which they were.
    result_ : Result
        What `cpc.mi.select` returned.
    """

    #: The fewest rows that neighbors are found among.
    _FEWEST = 20

    def __init__(self, n_features_to_select=10, *, criterion="jmi", discrete_target="auto", random_state=0):
        self.n_features_to_select = n_features_to_select
        self.criterion = criterion
        self.discrete_target = discrete_target
        self.random_state = random_state

    def fit(self, X, y):
        """Chooses columns.

        Parameters
        ----------
        X : array (rows, columns)
        y : array (rows)
            The target.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=False, ensure_min_samples=2)
        discrete = self.discrete_target
        if discrete == "auto":
            kind = type_of_target(y)
            discrete = kind in ("binary", "multiclass") and not (np.asarray(y).dtype.kind == "f" and kind == "multiclass")
        if discrete:
            check_classification_targets(y)
            y = np.unique(y, return_inverse=True)[1]
        if len(X) < self._FEWEST:
            warnings.warn(
                f"{len(X)} rows are too few to tell information from chance: no column is chosen; give at least {self._FEWEST}",
                Warning,
                stacklevel=2,
            )
            self.result_, self.ranking_, self.support_ = None, [], np.zeros(X.shape[1], dtype=bool)
            return self
        table = {f"x{i}": column for i, column in enumerate(X.T)}
        table["y"] = np.asarray(y, dtype=np.float64)
        self.result_ = mi.select(
            table,
            target="y",
            take=self.n_features_to_select,
            by=self.criterion,
            discrete=["y"] if discrete else None,
            seed=self._seed(),
            progress=False,
        )
        self.ranking_ = [int(row["column"][1:]) for row in self.result_["chosen"]]
        self.support_ = np.zeros(X.shape[1], dtype=bool)
        self.support_[self.ranking_] = True
        return self

    def _seed(self):
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _get_support_mask(self):
        check_is_fitted(self, "support_")
        return self.support_

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
