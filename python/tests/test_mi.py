"""Mutual information of arrays and tables: the figures of the command."""

import math
import pickle
import re
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
        # Warnings name arguments in place of flags.
        assert {**got, "warnings": None} == {**want, "warnings": None} and len(got.warnings) == len(want["warnings"])
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
        (lambda x, y: cpc.mi.estimate(), ValueError, "x and y are missing"),
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
    assert text.count("\n") == 1 and not re.search("--[a-z]|<[A-Z]", text), text


def test_results_are_pickled(pair):
    found = cpc.mi.estimate(*pair, estimator="ksg")
    again = pickle.loads(pickle.dumps(found))
    assert again == found and type(again) is cpc.Estimate and str(again) == str(found)


def test_results_are_numbers_where_numbers_are_wanted(pair):
    found = cpc.mi.estimate(*pair, estimator="ksg")
    assert f"{found:.3f}" == f"{found.value:.3f}" and round(found, 2) == round(found.value, 2)
    assert f"{found}" == str(found) and found.p_value is None
    assert "estimator" in dir(found)
    with pytest.raises(AttributeError, match="it has"):
        found.nothing


def test_columns_are_what_they_are_called(pair):
    pandas = pytest.importorskip("pandas")
    x, y = pair
    want = cpc.mi.estimate(x[:, 0], y, estimator="ksg").value
    value = lambda table, a, b: cpc.mi.estimate(table, x=a, y=b, estimator="ksg").value  # noqa: E731
    assert value(pandas.DataFrame({0: x[:, 0], 1: y}), 0, 1) == want
    assert value(pandas.DataFrame({("u", 1): x[:, 0], ("u", 2): y}), ("u", 1), ("u", 2)) == want
    assert value({"a,b": x[:, 0], "c/d": y, "axb2": y}, "a,b", ["c/d"]) == want
    with pytest.raises(ValueError, match="told apart"):
        value({"a,b": x[:, 0], "axb": y}, "a,b", "axb")
    with pytest.raises(ValueError, match="two columns of the table"):
        value(pandas.DataFrame(np.c_[x[:, 0], y], columns=["a", "a"]), "a", "a")
    with pytest.raises(ValueError, match="4 arrays"):
        cpc.mi.estimate(y, y, y, y)
    # Names are not a row, even if they are numbers.
    counts = cpc.mi.discrete(pandas.DataFrame({0: [1, 2, 1, 2] * 5, 1: [3, 4, 3, 4] * 5}), x="0", y="1")
    assert counts.n == 20


def test_what_is_missing_is_missing_in_every_kind_of_column(pair):
    pandas = pytest.importorskip("pandas")
    x, y = pair
    rows = lambda column, **options: cpc.mi.estimate({"x": column, "y": y[:60]}, x="x", y="y", estimator="ksg", **options).n  # noqa: E731
    masked = np.ma.masked_array(x[:60, 0], mask=np.arange(60) < 10)
    text = pandas.Series(["a", pandas.NA, "b"] * 20, dtype="string")
    for column, labels in ((masked, False), (text, True), (pandas.Series([True, None, False] * 20, dtype="boolean"), False)):
        options = {"discrete": "x"} if labels else {}
        assert rows(column, drop_nan=True, **options) in (40, 50)
        for off in (False, 0, np.False_, None):
            with pytest.raises(cpc.Error):
                rows(column, drop_nan=off, **options)


def test_text_beside_numbers_and_truth_values(pair):
    x, y = pair
    table = {"x": x, "up": y > 0, "who": np.where(y > 0, b"u", b"d"), "y": y}
    with_text = cpc.mi.estimate(table, x="x", y="up", estimator="ksg")
    del table["who"]
    assert with_text == cpc.mi.estimate(table, x="x", y="up", estimator="ksg")
    assert cpc.mi.estimate(x=x, y=["on" if each > 0 else "off" for each in y], estimator="ksg").value > 0.1


def test_joint_tables_of_any_kind():
    pandas = pytest.importorskip("pandas")
    a, b = np.tile([0, 1, 2], 20), np.tile([0, 1], 30)
    table = pandas.crosstab(pandas.Series(a, name="die"), pandas.Series(b, name="coin"))
    found = cpc.mi.discrete(joint=table)
    assert found.n == 60 and found.variables == [{"name": "die", "values": 3}, {"name": "coin", "values": 2}]
    same = cpc.mi.discrete(joint=table.to_numpy())
    assert [row["value"] for row in same.quantities] == [row["value"] for row in found.quantities]
    exact = cpc.mi.discrete(joint=pandas.DataFrame([[0.4, 0.1], [0.1, 0.4]]), against=[[0.25, 0.25], [0.25, 0.25]])
    assert exact.estimator == "exact" and any(row["name"] == "KL(p || q)" for row in exact.quantities)
    columns = cpc.mi.discrete({"die": a, "coin": b}, x="die", y="coin")
    assert [row["value"] for row in columns.quantities] == [row["value"] for row in found.quantities]
    with pytest.raises(ValueError, match="shape"):
        cpc.mi.discrete(joint=3.0)


def test_times_of_any_kind(pair):
    import datetime

    x, _ = pair
    at = np.datetime64("2026-01-01") + np.arange(500) * np.timedelta64(1, "m")
    want = None
    for times in (at, list(at), [datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=i) for i in range(500)]):
        found = cpc.mi.transfer({"at": times, "a": x[:, 0], "b": x[:, 1]}, from_="a", to="b", time="at", lags=1, permutations=19)
        assert want is None or found == want
        want = found
    with pytest.raises(ValueError, match="durations"):
        cpc.mi.matrix({"a": np.arange(60).astype("m8[s]"), "b": np.arange(60.0)})


def test_warnings_that_are_errors_have_the_result(pair):
    x, _ = pair
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(cpc.Warning) as caught:
            cpc.mi.estimate(x[:, 0], x[:, 1], given=x[:, 1], estimator="ksg")
    assert caught.value.result.estimate == 0


def test_estimates_that_are_interrupted_write_nothing(tmp_path):
    import signal
    import threading
    import time

    x = np.random.default_rng(0).normal(size=(4000, 80))
    table = {f"c{i}": column for i, column in enumerate(x.T)}
    timer = threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        cpc.mi.matrix(table, out=tmp_path / "late.csv")
        time.sleep(5)
    time.sleep(2)
    assert not list(tmp_path.iterdir())


def test_names_of_columns_of_any_kind(pair):
    pandas = pytest.importorskip("pandas")
    x, y = pair
    table = pandas.DataFrame({0: x[:, 0], 1: x[:, 1], 2: y})
    want = cpc.mi.estimate(x, y, estimator="ksg").value
    assert cpc.mi.estimate(table, x=[0, 1], y=2, estimator="ksg").value == want
    assert cpc.mi.estimate(table, x=[0, 1], y=[2], estimator="ksg").value == want
    assert cpc.mi.matrix(table, columns=table.columns[:2]) == cpc.mi.matrix(table, columns=np.array([0, 1])) == cpc.mi.matrix(table[[0, 1]])
    spaced = pandas.DataFrame({"a": x[:, 0], " b": y})
    assert cpc.mi.estimate(spaced, x="a", y=" b", estimator="ksg").value == cpc.mi.estimate(x[:, 0], y, estimator="ksg").value
    labels = cpc.mi.discrete({"a,c": x[:, 0] > 0, "b": y > 0}, x="a,c", y="b")
    assert labels.variables[0]["name"] == "a,c"


def test_masks_of_times_and_words_that_look_missing(pair):
    _, y = pair
    times = np.ma.array(np.datetime64("2026-01-01") + np.arange(60), mask=np.arange(60) < 5)
    with pytest.raises(cpc.Error):
        cpc.mi.estimate({"t": times, "y": y[:60]}, x="t", y="y", discrete="x", estimator="ksg")
    words = np.array(["NaT" if each > 0 else "b" for each in y], dtype=object)
    assert cpc.mi.estimate(words, y, estimator="ksg", drop_nan=True).n == len(y)


def test_warnings_speak_of_arguments():
    x = np.repeat(np.random.default_rng(0).normal(size=30), 2)
    with pytest.warns(cpc.Warning):
        found = cpc.mi.estimate(x, x + np.repeat(np.arange(30), 2), estimator="ksg")
    assert found.warnings and not any("--" in text for text in found.warnings)
