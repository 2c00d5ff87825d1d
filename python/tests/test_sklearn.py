"""The transformers are those of scikit-learn."""

import numpy as np
import pytest

sklearn = pytest.importorskip("sklearn", minversion="1.6")

from sklearn.base import clone  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import cross_val_score  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from cpc.sklearn import CpcFeatures, MutualInformationSelector  # noqa: E402


@parametrize_with_checks([MutualInformationSelector(2)])
def test_the_selector_passes_the_checks(estimator, check):
    check(estimator)


def test_columns_that_inform_are_selected():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6))
    y = (X[:, 1] + X[:, 4] > 0).astype(int)
    selector = MutualInformationSelector(3).fit(X, y)
    assert set(selector.ranking_[:2]) == {1, 4} and selector.get_support()[[1, 4]].all()
    assert selector.transform(X).shape == (400, len(selector.ranking_))
    assert list(selector.get_feature_names_out())[0].startswith("x")
    assert MutualInformationSelector(3, random_state=np.random.RandomState(0)).fit(X, y).get_support()[[1, 4]].all()
    scores = cross_val_score(make_pipeline(MutualInformationSelector(2), LogisticRegression()), X, y, cv=3)
    assert scores.mean() > 0.9


def test_features_are_in_a_pipeline(run, samples, recordings):
    rng = np.random.default_rng(1)
    noise = [rng.normal(size=8000).astype(np.float32) * 0.1 for _ in range(6)]
    tones = [np.roll(samples[:8000], shift) for shift in range(6)]
    labels = [0] * 6 + [1] * 6
    features = CpcFeatures(run, pool="mean-std")
    assert clone(features).get_params()["pool"] == "mean-std"
    scores = cross_val_score(make_pipeline(features, LogisticRegression(max_iter=500)), noise + tones, labels, cv=3)
    assert scores.mean() > 0.9
    rows = CpcFeatures(run).fit_transform(recordings)
    assert rows.shape == (len(recordings), 128)
    assert CpcFeatures(run, layer=["c", "z"]).fit_transform(recordings).shape == (len(recordings), 256)
    for wrong, says in ((recordings[0], "one name"), ([], "no recordings")):
        with pytest.raises(ValueError, match=says):
            CpcFeatures(run).fit(wrong)
    with pytest.raises(ValueError, match="choose from"):
        CpcFeatures(run, pool="median").fit(recordings)
