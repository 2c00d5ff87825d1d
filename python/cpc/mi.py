"""Mutual information: how much one variable says about another."""

# Written by generate.py. Change the command, and run it again.

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ._arguments import estimated as _estimated, many as _many, sides as _sides
from ._call import call as _call
from ._results import Result, Rows
from ._tables import Table as _Table

__all__ = ["bench", "coverage", "discrete", "estimate", "features", "gaussians", "matrix", "plane", "select", "selfcheck", "staircase", "transfer"]


def estimate(
    *data: Any,
    x: Any | None = None,
    y: Any | None = None,
    given: Any | None = None,
    discrete: Literal["x", "y", "z"] | Sequence[Literal["x", "y", "z"]] | None = None,
    drop_nan: bool = False,
    estimator: str = "auto",
    compare: str | Sequence[str] | None = None,
    unit: str = "nats",
    critic: str | None = None,
    start: Literal["nothing", "normal", "t"] = "nothing",
    steps: int | None = None,
    batch_size: int | None = None,
    folds: int = 5,
    split: Literal["random", "blocked"] = "random",
    neighbors: int = 3,
    bins: int | None = None,
    repeats: int = 1,
    permutations: int = 0,
    seed: int = 0,
    pointwise: Any | None = None,
    curve: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Any:
    """Mutual information of samples: how much X says about Y.

    X and Y are two files, or columns of one file (x, y): .npy, .npz, .safetensors, .csv, .tsv,
    .parquet. Each may have several columns, which are treated as one variable. discrete names
    the sides whose values are labels.

    given names columns Z: the result is I(X; Y | Z), what X says about Y to someone who knows Z
    already. auto, copula and the bounds use the chain rule, I(X; (Y, Z)) - I(X; Z) with the
    same folds; ksg has an estimator of its own.

    estimator auto (the default) fits copulas and a network that starts from them, and reports
    the one that held-out rows favor. The others are infonce, anchor, mine, dv, nwj, js, smile,
    tuba, alpha (bounds and estimates from trained critics), club, l1out (upper bounds), ksg
    (nearest neighbors), cca (linear), copula and histogram. compare prints several estimators
    in one table.

    Critics are cross-fitted: the critic that evaluates a row was neither trained nor stopped on
    that row. The interval shows how much the estimate would vary with other samples of the same
    size; it does not include bias. permutations also estimates with Y shuffled, which shows how
    large the estimate is by chance, and gives a p-value; with given, rows of Y are exchanged
    where Z is the same or nearly the same.

    Parameters
    ----------
    *data : str, path, DataFrame, dict of arrays or array
        One table, whose columns `x`, `y` and `given` name; or X, Y and perhaps Z as arrays
        (rows) or (rows, columns).
    x : str, list of str or array, optional
        Columns or keys of X, by name or pattern (*, ?); or an array
    y : str, list of str or array, optional
        Columns or keys of Y, by name or pattern (*, ?); or an array
    given : str, list of str or array, optional
        Columns or keys of Z: information is conditional on them, I(X; Y | Z); or an array
    discrete : {"x", "y", "z"}, or a list of them, optional
        Sides whose values are labels, not numbers
    drop_nan : bool
        Omit rows with NaN, infinity or an empty cell
    estimator : str, optional
        The estimator
    compare : str, or a list of them, optional
        Compare several estimators in one table
    unit : str, optional
        The unit: nats, bits or hartleys
    critic : str, optional
        The form of critics: joint, separable or bilinear [default: separable]
    start : {"nothing", "normal", "t"}, optional
        What the critic of a single bound starts from
    steps : int, optional
        Maximum number of updates of a critic [default: 5000]
    batch_size : int, optional
        Pairs per batch [default: 250; 64 for joint critics]
    folds : int, optional
        Folds of cross-fitting, 3 or more; 1 is a single split into 60 % for training, 20 % for
        stopping and 20 % for evaluation
    split : {"random", "blocked"}, optional
        How rows are assigned to folds, and permuted
    neighbors : int, optional
        Number of nearest neighbors, for ksg
    bins : int, optional
        Bins per column, for histogram [default: so that a cell of independent columns holds
        five rows]
    repeats : int, optional
        Number of estimates, with different folds and initial weights; the result is their mean
    permutations : int, optional
        Number of estimates with Y shuffled, for a p-value; with split="blocked", Y is shifted
        in time instead
    seed : int, optional
        The random seed of folds, initial weights, batches and permutations
    pointwise : bool or str, optional
        Whether the result has the pointwise information of each row, in nats, as `pointwise`;
        or a .npy file to write it to.
    curve : str or path, optional
        Write the training curves of the critics to a .csv file, or draw them to a .svg file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Estimate, or Rows of them where several are compared
        What `cpc mi estimate --json` prints; printed itself, the table of the command.
    """
    words, chosen = _sides(data, x, y, given, discrete)
    given = {**chosen, "drop_nan": drop_nan, "estimator": estimator, "compare": compare, "unit": unit, "critic": critic,
        "start": start, "steps": steps, "batch_size": batch_size, "folds": folds, "split": split, "neighbors":
        neighbors, "bins": bins, "repeats": repeats, "permutations": permutations, "seed": seed, "curve": curve}
    return _estimated(words, given, pointwise, progress)


def matrix(
    data: Any,
    *,
    columns: Any | None = None,
    target: Any | None = None,
    discrete: str | Sequence[str] | None = None,
    drop_nan: bool = False,
    estimator: str = "ksg",
    unit: str = "nats",
    neighbors: int = 3,
    split: Literal["random", "blocked"] = "random",
    seed: int = 0,
    top: int = 20,
    out: str | os.PathLike | None = None,
    svg: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """Mutual information between all pairs of columns, or of all columns and one.

    Each value is by nearest neighbors, which see dependence of any form; columns of labels
    (discrete), zeros and counts are taken as what they are. estimator auto is slower and errs
    less.

    The p-value is of a chi-squared test of independence in bins. Of many tests some are small
    by chance: q is the false discovery rate (Benjamini and Hochberg 1995). Of the pairs with q
    below .05, one in twenty is there by chance.

    Parameters
    ----------
    data : str, path, DataFrame, dict of arrays or array
        The table: a file, or columns in memory.
    columns : str, or a list of them, optional
        Columns, by name or pattern (*, ?) [default: all]
    target : str, optional
        Compare all columns with this one alone
    discrete : str, or a list of them, optional
        Columns whose values are labels, not numbers, by name or pattern
    drop_nan : bool
        Omit rows with NaN, infinity or an empty cell
    estimator : str, optional
        The estimator of each pair: ksg, copula, auto or another of `cpc mi estimate`
    unit : str, optional
        The unit: nats, bits or hartleys
    neighbors : int, optional
        Number of nearest neighbors, for ksg
    split : {"random", "blocked"}, optional
        blocked, for time series: rows count for less, the more neighboring rows are alike
    seed : int, optional
        The random seed
    top : int, optional
        The number of pairs that are printed, those that share most first
    out : str or path, optional
        Write all pairs to a file: .csv, .tsv or .parquet
    svg : str or path, optional
        Draw the matrix to a .svg file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi matrix --json` prints; printed itself, the table of the command.
    """
    return _call("mi matrix", [_Table("data", data)], {"columns": columns, "target": target, "discrete": discrete,
        "drop_nan": drop_nan, "estimator": estimator, "unit": unit, "neighbors": neighbors, "split": split, "seed":
        seed, "top": top, "out": out, "svg": svg}, progress=progress)


def select(
    data: Any,
    *,
    target: Any,
    take: int = 10,
    by: Literal["jmi", "cmim", "mrmr", "conditional"] = "jmi",
    columns: Any | None = None,
    discrete: str | Sequence[str] | None = None,
    drop_nan: bool = False,
    unit: str = "nats",
    neighbors: int = 3,
    seed: int = 0,
    progress: bool | None = None,
) -> Result | Rows:
    """The few columns of many that together inform about one.

    Choose columns one after the other, so that they together inform about a target (feature
    selection).

    A column that repeats what chosen ones say is left out, however much it says alone; one that
    informs only together with a chosen one is found (jmi, conditional). Selection ends at take
    columns, or where the next one adds nothing that chance would not: its information given all
    chosen columns is compared with the same after exchanging its rows among rows that are alike
    in these.

    All terms are by nearest neighbors. Columns of labels (discrete), zeros and counts are taken
    as what they are.

    Parameters
    ----------
    data : str, path, DataFrame, dict of arrays or array
        The table: a file, or columns in memory.
    target : str
        The column to inform about
    take : int, optional
        The largest number of columns
    by : {"jmi", "cmim", "mrmr", "conditional"}, optional
        How the next column is chosen
    columns : str, or a list of them, optional
        Columns to choose from, by name or pattern (*, ?) [default: all]
    discrete : str, or a list of them, optional
        Columns whose values are labels, not numbers, by name or pattern
    drop_nan : bool
        Omit rows with NaN, infinity or an empty cell
    unit : str, optional
        The unit: nats, bits or hartleys
    neighbors : int, optional
        Number of nearest neighbors
    seed : int, optional
        The random seed
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi select --json` prints; printed itself, the table of the command.
    """
    return _call("mi select", [_Table("data", data)], {"target": target, "take": take, "by": by, "columns": columns,
        "discrete": discrete, "drop_nan": drop_nan, "unit": unit, "neighbors": neighbors, "seed": seed},
        progress=progress)


def transfer(
    data: Any,
    *,
    from_: Any,
    to: Any,
    given: Any | None = None,
    lags: str | int | Iterable[int] = "1:10",
    history: int | None = None,
    from_history: int = 1,
    both: bool = False,
    time: Any | None = None,
    group: Any | None = None,
    discrete: str | Sequence[str] | None = None,
    drop_nan: bool = False,
    estimator: Literal["ksg", "copula"] = "ksg",
    neighbors: int = 3,
    permutations: int = 100,
    unit: str = "nats",
    seed: int = 0,
    out: str | os.PathLike | None = None,
    svg: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """What one series says about the future of another, by lag.

    Information is I(to; from some rows before). Transfer entropy is what of it the past of `to`
    does not say already: Granger causality for dependence of any form. With given, the past of
    further series is known as well; a series that drives both, and is not given, looks like
    transfer.

    The p-value compares with `from` shifted in time by more rows than the series remember. `p`
    is of a lag alone; `p any` is of the largest value at any lag, and is the one for the lag
    that stands out. `chance` is the mean of shifts: what the estimator gives if there is
    nothing.

    A gap (a row that drop_nan omits, a longer step of time, another group) is not bridged. Rows
    are shifted within their group, so what only tells groups apart is not taken for transfer.

    Parameters
    ----------
    data : str, path, DataFrame, dict of arrays or array
        The table: a file, or columns in memory.
    from_ : str, or a list of them
        The source: one column or several, by name or pattern (*, ?)
    to : str, or a list of them
        The target: one column or several
    given : str, or a list of them, optional
        Columns whose past is known as well
    lags : str, optional
        Lags in rows: 5, 1:20, 10:200:10 (from, to, step), or several with commas
    history : int, optional
        The number of past values of the target, and of given [default: chosen, 1 to 5]
    from_history : int, optional
        The number of values of the source, from each lag on into the past
    both : bool
        The other direction as well
    time : str, optional
        A column of times (numbers, or dates): steps must be even, and a longer one is a gap
    group : str, optional
        A column that says which series a row belongs to, such as a subject or a trial
    discrete : str, or a list of them, optional
        Columns whose values are labels, not numbers, by name or pattern
    drop_nan : bool
        Omit rows with NaN, infinity or an empty cell; they are gaps
    estimator : {"ksg", "copula"}, optional
        The estimator
    neighbors : int, optional
        Number of nearest neighbors, for ksg
    permutations : int, optional
        Number of shifts in time, for p-values
    unit : str, optional
        The unit: nats, bits or hartleys
    seed : int, optional
        The random seed
    out : str or path, optional
        Write all lags to a file: .csv, .tsv or .parquet
    svg : str or path, optional
        Draw them to a .svg file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi transfer --json` prints; printed itself, the table of the command.
    """
    return _call("mi transfer", [_Table("data", data)], {"from": from_, "to": to, "given": given, "lags": lags,
        "history": history, "from_history": from_history, "both": both, "time": time, "group": group, "discrete":
        discrete, "drop_nan": drop_nan, "estimator": estimator, "neighbors": neighbors, "permutations": permutations,
        "unit": unit, "seed": seed, "out": out, "svg": svg}, progress=progress)


def discrete(
    data: Any = None,
    *,
    x: Any | None = None,
    y: Any | None = None,
    given: Any | None = None,
    joint: Any | None = None,
    against: Any | None = None,
    unit: str = "nats",
    estimator: str = "miller-madow",
    diagram: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """Entropies and mutual information of labels: exact from probabilities, estimated from
    samples.

    The input is columns of a CSV file, one row per sample. x and y name them; several,
    separated by commas, are treated as one variable. given names columns to condition on.

    Or the input is a joint table, joint, with one row for each value of X and one column for
    each value of Y. Its cells are probabilities (then all results are exact) or counts. The
    first row and column may hold the names of the values, and the corner may hold X\\Y.

    With samples, relative frequencies make entropies too low and mutual information too high,
    by about (cells - 1) / 2n. miller-madow (the default) corrects for this bias, shrinkage is
    for more cells than samples, and plug-in makes no correction.

    With three to eight columns, the total correlation (0 if all are independent) and the co-
    information (what all have in common; negative if they say more together than one by one)
    are added. diagram draws X, Y and Z as circles that overlap, and lists the value of every
    part.

    against gives a second table of probabilities q. The cross-entropy H(p, q) and the
    divergence KL(p || q) are then added.

    Parameters
    ----------
    data : str, path, DataFrame, dict of arrays or array
        The table: a file, or columns in memory.
    x : str, or a list of them, optional
        Columns of X
    y : str, or a list of them, optional
        Columns of Y
    given : str, or a list of them, optional
        Columns to condition on
    joint : str, path, DataFrame or array, optional
        A joint table of probabilities or counts
    against : str, path, DataFrame or array, optional
        A second table of probabilities, to compare with the table of joint
    unit : str, optional
        The unit: nats, bits or hartleys
    estimator : str, optional
        The estimator for counts: miller-madow, plug-in or shrinkage
    diagram : str or path, optional
        Draw the entropies as overlapping circles to a .svg file, and list the value of every
        part
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi discrete --json` prints; printed itself, the table of the command.
    """
    return _call("mi discrete", [*([] if data is None else [_Table("data", data)])], {"x": x, "y": y, "given": given,
        "joint": None if joint is None else _Table("joint", joint, joint=True), "against": None if against is None else
        _Table("against", against, joint=True), "unit": unit, "estimator": estimator, "diagram": diagram},
        progress=progress)


def features(
    run: str,
    *,
    data: str | os.PathLike | None = None,
    labels: str | None = None,
    steps: int = 12,
    frames: int = 10000,
    components: int = 32,
    estimator: str = "infonce",
    unit: str = "nats",
    seed: int = 0,
    svg: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """What a CPC model predicts: the information c carries about z some frames later, and both
    about labels.

    `run` is a model or a run directory, with data; or a directory written by `cpc extract model
    `data` --layer c,z`. Features are reduced to principal components, frames are drawn evenly,
    and folds are runs of consecutive frames. With the bounds (infonce is the default) all
    values are lower bounds: features carry at least that much information. Even an untrained
    model carries some, because neighboring frames of speech are similar.

    Parameters
    ----------
    run : str
        A model or run directory, or a directory with features of layers c and z
    data : str or path, optional
        The recordings; needed if `run` is a model
    labels : str, optional
        Labels to estimate information about: a file of frame or utterance labels, as for `cpc
        probe`, or `speaker`
    steps : int, optional
        Number of steps ahead
    frames : int, optional
        Maximum number of frames to draw
    components : int, optional
        Number of principal components of z, and of c
    estimator : str, optional
        The estimator
    unit : str, optional
        The unit: nats, bits or hartleys
    seed : int, optional
        The random seed
    svg : str or path, optional
        Draw I(z_{t+k}; c_t) against k to a .svg file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi features --json` prints; printed itself, the table of the command.
    """
    return _call("mi features", [run], {"data": data, "labels": labels, "steps": steps, "frames": frames, "components":
        components, "estimator": estimator, "unit": unit, "seed": seed, "svg": svg}, progress=progress)


def plane(
    runs: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    svg: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """The information plane: what codes keep of images and of labels during training.

    The information plane of runs of the information bottleneck (`cpc pretrain IMAGES --preset
    ib`).

    It has one point for each validation of a run:

      I(X;Z): what a code keeps of the image. An upper bound with objective.information=vib, a
      lower bound with MINE
      I(Z;Y): what a code keeps of the label. A lower bound: the entropy of the labels minus the
      cross-entropy

    Parameters
    ----------
    runs : str or path, or a list of them
        Run directories
    svg : str or path, optional
        Draw the information plane to a .svg file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi plane --json` prints; printed itself, the table of the command.
    """
    return _call("mi plane", [*_many(runs)], {"svg": svg}, progress=progress)


def bench(
    *,
    suite: str = "beyond-normal",
    rows: int = 10000,
    seeds: int = 1,
    estimator: str | Sequence[str] = "auto",
    task: str | Sequence[str] | None = None,
    csv: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """Test estimators on problems whose mutual information is known.

      beyond-normal: the forty tasks of Czyz et al. 2023
      mixtures: mixtures of normal variables, zeros and amounts, counts, labels, and information
      given a third variable
      images: drawn digits, spots and letters, with up to 256 columns a side

    An estimator uses the same settings for every task. The line `mean absolute error` is over
    all runs, in nats; a run that ends in an error counts as infinitely wrong. The next line
    counts runs that are off by more than 0.1 nats without a warning. Core seconds are those of
    all runs. All cores are used, one run per core.

    Parameters
    ----------
    suite : str, optional
        The problems: beyond-normal, mixtures or images
    rows : int, optional
        Rows per task
    seeds : int, optional
        Number of seeds, starting from 1
    estimator : str, or a list of them, optional
        Estimators to test
    task : str, or a list of them, optional
        Tasks by name or pattern (*, ?) [default: all]
    csv : str or path, optional
        Write every run to a CSV file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi bench --json` prints; printed itself, the table of the command.
    """
    return _call("mi bench", [], {"suite": suite, "rows": rows, "seeds": seeds, "estimator": estimator, "task": task,
        "csv": csv}, progress=progress)


def coverage(
    *,
    suite: str = "beyond-normal",
    rows: int = 1000,
    seeds: int = 50,
    estimator: str = "auto",
    task: str | Sequence[str] | None = None,
    independent: bool = False,
    progress: bool | None = None,
) -> Result | Rows:
    """How often the 95 % interval of an estimator holds the truth, on tasks where it is known.

    An interval says how much the estimate would vary with other samples of the same size. `sd`
    is how much it varies over the seeds, `claimed` is what the intervals say. `holds` is how
    often they hold the truth, `mean` how often they hold the mean of the estimates: where the
    second is high and the first low, the estimator is biased, which no interval knows.

    With independent, X and Y of each task are from two samples, so the truth is 0.

    Parameters
    ----------
    suite : str, optional
        The problems: beyond-normal, mixtures or images
    rows : int, optional
        Rows per task
    seeds : int, optional
        Number of seeds, starting from 1
    estimator : str, optional
        The estimator
    task : str, or a list of them, optional
        Tasks by name or pattern (*, ?) [default: all]
    independent : bool
        X and Y from two samples: the truth is 0
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi coverage --json` prints; printed itself, the table of the command.
    """
    return _call("mi coverage", [], {"suite": suite, "rows": rows, "seeds": seeds, "estimator": estimator, "task": task,
        "independent": independent}, progress=progress)


def staircase(
    *,
    bound: str | Sequence[str] | None = None,
    variant: Literal["gaussian", "cubic"] = "gaussian",
    levels: float | Sequence[float] = (2, 4, 6, 8, 10,),
    updates: int = 4000,
    batch_size: int = 64,
    dim: int = 20,
    critic: str = "separable",
    seed: int = 0,
    svg: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """Bias and variance of bounds as the information rises in steps.

    A critic is trained on fresh pairs, one batch per update. The bound is evaluated on each
    batch before the update. The bias, variance and mean square error of a step are computed
    over its last quarter.

    Parameters
    ----------
    bound : str, or a list of them, optional
        Bounds to compare [default: all]
    variant : {"gaussian", "cubic"}, optional
        How y is made
    levels : float, or a list of them, optional
        The information of each step, in nats
    updates : int, optional
        Updates per step
    batch_size : int, optional
        Pairs per batch
    dim : int, optional
        Number of columns of X and of Y
    critic : str, optional
        The form of critics: joint, separable or bilinear
    seed : int, optional
        The random seed
    svg : str or path, optional
        Draw the staircase to a .svg file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi staircase --json` prints; printed itself, the table of the command.
    """
    return _call("mi staircase", [], {"bound": bound, "variant": variant, "levels": levels, "updates": updates,
        "batch_size": batch_size, "dim": dim, "critic": critic, "seed": seed, "svg": svg}, progress=progress)


def selfcheck(
    *,
    estimator: str | Sequence[str] | None = None,
    rows: int | None = None,
    equitability: bool = False,
    svg: str | os.PathLike | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Result | Rows:
    """Check estimators for self-consistency: independence, data processing, additivity.

    Check whether estimators are consistent with themselves (Song and Ermon 2020), on normal
    variables X and Y that share 5 nats.

    The columns of the table, with the correct values in the row `right`:

      unrelated: the estimate for a Y that is independent of X
      2 of 10 ... 8 of 10: the fraction of the estimate that remains with only some of Y's
      columns; .20 ... .80 is correct
      processed: Y together with a part of itself, divided by Y alone; 1 is correct
      doubled: two independent copies of the problem together, divided by one; 2 is correct
      whole: the estimate divided by the truth

    With equitability, check that an estimate depends on nothing but the information (Kinney and
    Atwal 2014): invertible maps of a normal pair should not change it, and Y = f(X) + noise
    should have the same estimate for every f with the same information. These are 42 estimates;
    a critic takes a minute for 1,000 rows.

    Parameters
    ----------
    estimator : str, or a list of them, optional
        Estimators to check [default: auto,infonce,smile,nwj,dv,mine,ksg,cca; with equitability
        auto,ksg,cca]
    rows : int, optional
        Rows per problem [default: 5000; with equitability 1000]
    equitability : bool
        Check maps and relations in place of the above
    svg : str or path, optional
        Draw the estimates of relations to a .svg file
    seed : int, optional
        The random seed
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi selfcheck --json` prints; printed itself, the table of the command.
    """
    return _call("mi selfcheck", [], {"estimator": estimator, "rows": rows, "equitability": equitability, "svg": svg,
        "seed": seed}, progress=progress)


def gaussians(
    *,
    dims: int | Sequence[int] = (2, 20,),
    estimator: str | Sequence[str] = ("mine", "ksg", "auto",),
    rows: int = 5000,
    seed: int = 0,
    svg: str | os.PathLike | None = None,
    progress: bool | None = None,
) -> Result | Rows:
    """Compare estimators with the truth for normal columns of any correlation.

    Parameters
    ----------
    dims : int, or a list of them, optional
        Numbers of columns of X and of Y
    estimator : str, or a list of them, optional
        Estimators to compare
    rows : int, optional
        Rows per problem
    seed : int, optional
        The random seed
    svg : str or path, optional
        Draw the estimates against the correlation to a .svg file
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc mi gaussians --json` prints; printed itself, the table of the command.
    """
    return _call("mi gaussians", [], {"dims": dims, "estimator": estimator, "rows": rows, "seed": seed, "svg": svg},
        progress=progress)
