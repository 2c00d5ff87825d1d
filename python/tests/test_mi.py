"""Mutual information of arrays and tables: the figures of the command."""

import math
import pickle
import warnings

import numpy as np
import pytest

import cpc


def test_an_estimate_is_the_command_s_to_the_bit(pair, command, tmp_path):
    x, y = pair
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    for options in ({"estimator": "ksg"}, {"estimator": "infonce", "steps": 40, "folds": 3}, {"estimator": "copula", "unit": "bits"}):
        flags = [word for name, value in options.items() for word in (f"--{name}", value)]
        want = command("mi", "estimate", tmp_path / "x.npy", tmp_path / "y.npy", *flags)
        got = cpc.mi.estimate(x, y, **options)
        assert got == want
        assert float(got) == got.value == got.estimate == want["estimate"]
        assert got.interval == tuple(want["ci95"]) and got.unit == options.get("unit", "nats")
        assert str(round(got.value, 4)) in str(got)


def test_arrays_of_any_kind_are_the_same(pair):
    x, y = pair
    x = np.round(x * 100)
    want = cpc.mi.estimate(x, y, estimator="ksg")
    wide = np.zeros((500, 4))
    wide[:, ::2] = x
    for same in (x.astype(np.float32), np.asfortranarray(x), wide[:, ::2], x.tolist(), x.astype(np.int32), x.astype(">f8")):
        assert cpc.mi.estimate(same, y, estimator="ksg") == want
    assert cpc.mi.estimate(x=x, y=y.tolist(), estimator="ksg") == want


def test_tables_are_named_by_their_columns(pair):
    x, y = pair
    table = {"a": x[:, 0], "b": x[:, 1], "y": y, "z": np.sign(y)}
    want = cpc.mi.estimate(x, y, estimator="ksg").value
    assert cpc.mi.estimate(table, x=["a", "b"], y="y", estimator="ksg").value == want
    records = np.rec.fromarrays(list(table.values()), names=list(table))
    assert cpc.mi.estimate(records, x="a,b", y="y", estimator="ksg").value == want
    given = cpc.mi.estimate(x[:, 0], y, given=x[:, 1], estimator="ksg").value
    assert cpc.mi.estimate(table, x="a", y="y", given="b", estimator="ksg").value == given


def test_frames_of_pandas_have_labels_and_missing_values(pair):
    pandas = pytest.importorskip("pandas")
    x, y = pair
    table = pandas.DataFrame({"x": x[:, 0], "y": y, "who": np.where(y > 0, "über, 0", "low")})
    found = cpc.mi.estimate(table, x="x", y="who", discrete="y", estimator="ksg")
    assert found.value == cpc.mi.estimate(x[:, 0], table["who"], estimator="ksg").value
    table.loc[3, "x"] = np.nan
    with pytest.raises(cpc.Error, match="row"):
        cpc.mi.estimate(table, x="x", y="y", estimator="ksg")
    assert cpc.mi.estimate(table, x="x", y="y", estimator="ksg", drop_nan=True).n == 499
    whole = pandas.DataFrame({"x": pandas.array([1, 2, None] * 20, dtype="Int64"), "y": range(60)})
    assert cpc.mi.estimate(whole, x="x", y="y", estimator="ksg", drop_nan=True).n == 40


def test_series_have_times(pair):
    pandas = pytest.importorskip("pandas")
    x, y = pair
    table = pandas.DataFrame({"at": pandas.date_range("2026-01-01", periods=500, freq="min"), "a": x[:, 0], "b": np.roll(x[:, 0], 2)})
    found = cpc.mi.transfer(table, from_="a", to="b", time="at", lags=range(1, 4), permutations=19)
    most = max(found[0]["lags"], key=lambda lag: lag["transfer"]["estimate"])
    assert most["lag"] == 2 and found._repr_svg_().startswith("<svg")
    with pytest.raises(cpc.Error, match="even steps"):
        cpc.mi.transfer(table.iloc[::-1], from_="a", to="b", time="at", permutations=19)


def test_several_estimators_are_rows(pair):
    found = cpc.mi.estimate(*pair, compare=["ksg", "cca"])
    assert [row.estimator for row in found] == ["ksg", "cca"] and all(isinstance(row, cpc.Estimate) for row in found)
    assert "cca" in repr(found)


def test_pointwise_values_come_with_the_estimate(pair):
    found = cpc.mi.estimate(*pair, estimator="ksg", pointwise=True)
    assert found.pointwise.shape == (500,) and math.isclose(found.pointwise.mean(), found.value, abs_tol=1e-4)


def test_the_other_commands_take_tables(pair, command, tmp_path):
    x, y = pair
    table = {"a": x[:, 0], "b": x[:, 1], "y": y}
    np.savez(tmp_path / "t.npz", **table)
    assert cpc.mi.matrix(table) == command("mi", "matrix", tmp_path / "t.npz")
    assert cpc.mi.matrix(table)._repr_svg_().startswith("<svg")
    assert cpc.mi.select(table, target="y") == command("mi", "select", tmp_path / "t.npz", "--target", "y")
    labels = {"s": np.where(x[:, 0] > 0, "up", "down"), "t": np.where(y > 0, "yes, it is", "no")}
    (tmp_path / "l.csv").write_text("s,t\n" + "".join(f'{s},"{t}"\n' for s, t in zip(*labels.values())))
    assert cpc.mi.discrete(labels, x="s", y="t") == command("mi", "discrete", tmp_path / "l.csv", "--x", "s", "--y", "t")
    exact = cpc.mi.discrete(joint=np.array([[0.5, 0.0], [0.0, 0.5]]), unit="bits")
    assert {row["name"]: row["value"] for row in exact.quantities}["I(X; Y)"] == 1.0


def test_pictures_are_shown():
    found = cpc.mi.staircase(bound="infonce", updates=8, levels=[1, 2], batch_size=16, dim=2)
    assert found._repr_svg_().startswith("<svg") and found[0]["bound"] == "infonce"


def test_what_is_warned_of_is_a_warning(pair):
    x, _ = pair
    with pytest.warns(cpc.Warning) as caught:
        found = cpc.mi.estimate(x[:, 0], x[:, 1], given=x[:, 1], estimator="ksg")
    assert caught[0].filename == __file__ and found.warnings
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cpc.mi.estimate(x[:, 0], x[:, 1], estimator="ksg")


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda x, y: cpc.mi.estimate(x, y[:5]), cpc.Error, "X has 500 rows and Y has 5"),
        (lambda x, y: cpc.mi.estimate(x, y, estimator="best"), ValueError, "one of auto"),
        (lambda x, y: cpc.mi.estimate(x, y, permutations=-1), ValueError, "permutations"),
        (lambda x, y: cpc.mi.estimate({"a": y}, x="a", y="b"), ValueError, "there is no"),
        (lambda x, y: cpc.mi.estimate({"a": y}, x=x, y=y), ValueError, "beside a table"),
        (lambda x, y: cpc.mi.estimate(np.c_[x, y]), ValueError, "choose with x and y"),
        (lambda x, y: cpc.mi.estimate(), ValueError, "there are no data"),
        (lambda x, y: cpc.mi.estimate(x + 1j, y), ValueError, "complex"),
        (lambda x, y: cpc.mi.estimate([object()] * 9, y), ValueError, "neither numbers nor text"),
        (lambda x, y: cpc.mi.estimate(x.reshape(10, 50, 2), y), cpc.Error, "shape"),
        (lambda x, y: cpc.mi.matrix("nowhere.csv"), FileNotFoundError, "nowhere.csv"),
        (lambda x, y: cpc.mi.transfer({"a": y, "b": y}, from_="a", to="b", lags="x"), ValueError, "lags"),
        (lambda x, y: cpc.mi.select({"a": y}, target="q"), ValueError, "there is no column `q`"),
    ],
)
def test_what_cannot_be_done_is_said_in_two_lines(pair, call, kind, says):
    with pytest.raises(kind, match=says) as caught:
        call(*pair)
    text = str(caught.value)
    assert text.count("\n") >= 1 and "--" not in text.replace("`cpc", ""), text


def test_results_are_pickled(pair):
    found = cpc.mi.estimate(*pair, estimator="ksg")
    again = pickle.loads(pickle.dumps(found))
    assert again == found and type(again) is cpc.Estimate and str(again) == str(found)
