"""What `cpc` does with models and data."""

# Written by generate.py. Change the command, and run it again.

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from ._arguments import configured as _configured, many as _many
from ._call import call as _call

__all__ = ["abx", "convert", "extract", "finetune", "info", "predict", "pretrain", "probe"]


def pretrain(
    data: str | os.PathLike | None = None,
    *,
    out: str | os.PathLike | None = None,
    preset: str | None = None,
    config: str | os.PathLike | None = None,
    settings: Mapping[str, Any] | Sequence[str] | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    train: Mapping[str, Any] | str | os.PathLike | None = None,
    valid: str | os.PathLike | None = None,
    on_bad_file: Literal["fail", "skip"] | None = None,
    column: Mapping[str, Any] | str | Sequence[str] | None = None,
    rate: float | None = None,
    split: Literal["lines", "sentences"] | None = None,
    tokenizer: str | None = None,
    vocab_size: int | None = None,
    init: str | None = None,
    resume_optimizer: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    listen: str | os.PathLike | None = None,
    print_config: bool = False,
    callback: Callable[[dict[str, Any]], Any] | None = None,
    progress: bool | None = None,
    **sections: Mapping[str, Any],
) -> Any:
    """Train an encoder on recordings, sensor series, text or images, without labels.

    `data` is one of: a directory of recordings (the first folder level names the speaker, as in
    LibriSpeech); a fairseq .tsv manifest; a .jsonl, .csv or .tsv file with path, speaker, and
    optional start and end in seconds (the names of NeMo, lhotse, Common Voice and SpeechBrain
    are known too); Kaldi's wav.scp; or parquet files with the columns audio {bytes, path},
    speaker_id and id, as in the hub's data sets. Parquet is given as a file, a directory, or
    `listen`/SPLIT for `listen`/SPLIT-00000-of-00002.parquet and so on.
    hf://datasets/owner/name[@revision][/CONFIG[/SPLIT]] is such a data set on the Hugging Face
    hub, fetched once. WAV, FLAC, MP3, Ogg Vorbis, M4A, AIFF, NIST SPHERE and others at any rate
    are resampled to 16 kHz.

    Series of several channels, such as ECG, EEG, motion and machines, are a directory of .npy
    (T, C), .csv, .tsv or .parquet (a column of times says the rate, or rate), EDF, BDF or WFDB
    (.hea); the first folder level names the subject. Their presets are series-small, motion and
    ecg-cpc.

    Text is a .txt file (one sentence per line, with a blank line between documents; or prose
    with split="sentences"), or a .jsonl file of documents. Its presets are text-demo, text-
    small and text2018.

    Images are a directory of MNIST's four IDX files, plain or gzipped, or of parquet files of
    images. Their presets are those of Deep InfoMax (dim-local, dim-global, dim-both), image-
    supervised as a baseline, and ib, the information bottleneck. toy:25-gaussians and
    toy:spiral are points in the plane, for mine-gan. stacked:`listen` stacks three of
    `listen`'s images as the color channels of one image, for mine-gan-stacked.

    The run directory gets config.toml (enough to repeat the run), metrics.jsonl and TensorBoard
    events, checkpoints/, and model/, the model with the best validation loss. Ctrl-C writes a
    checkpoint. resume continues from it and ends with the same weights as a run that was never
    stopped. The command line may be repeated unchanged, as a cluster does when it requeues a
    job.

    mpirun -n N cpc pretrain ..., or srun, trains with N processes, if cpc was built with the
    feature mpi: they share the batches of each update (train.accumulate). With the same number
    of threads, any number of them ends with the same weights. docs/scale.md has the details.

    Each value comes from the first of these that sets it: an argument, settingstings, config,
    preset, the default (preset small). A corpus may contain a cpc.toml. It is used if neither
    config nor preset is given.

    Parameters
    ----------
    data : str or path, optional
        The corpus: a directory, a manifest, parquet files, hf://datasets/owner/name, series,
        text, or images (not needed with resume)
    out : str or path, optional
        The run directory to create
    preset : str, optional
        A named configuration. Audio: demo, small (the default), mel-small, cpc-audio, cpc2018
        or big. Series: series-small (the default), motion or ecg-cpc. Text: text-demo, text-
        small (the default) or text2018. Images: dim-local (the default), dim-global, dim-both,
        image-supervised or ib. `finetune` is that of `cpc finetune`. toy: data: mine-gan.
        stacked: data: mine-gan-stacked
    config : str or path, optional
        A TOML configuration file, such as the config.toml of another run
    settings : dict, optional
        Keys of the configuration, as in `{"train.lr": 1e-4}`. Sections may also be given as
        dictionaries of their own: `train={"lr": 1e-4}`.
    steps : int, optional
        Number of updates (train.steps)
    batch_size : int, optional
        Windows per batch (train.batch_size)
    seed : int, optional
        The seed of every random stream (seed)
    train : str or path, optional
        A file with the ids of the utterances to train on, one per line (data.train); or a
        dictionary: the section `train` of the configuration
    valid : str or path, optional
        A file with the ids of the utterances to validate on, one per line [default: a seeded 5
        %] (data.valid)
    on_bad_file : {"fail", "skip"}, optional
        What to do about a file that cannot be read (data.on_bad_file)
    column : dict, optional
        Name a column of parquet data, such as {"speaker": "client_id"}, or the key of the text
        in JSONL, such as {"text": "content"}

        `what` is audio, speaker, id, label or text. The default columns are: for audio, audio;
        for speaker, the first of speaker_id, speaker and client_id; for id, id; for label,
        label; for text, text.
    rate : float, optional
        Series: samples per second of recordings that do not say (data.rate)
    split : {"lines", "sentences"}, optional
        Text: what counts as a sentence (data.split)
    tokenizer : str, optional
        Text: the tokenizer. bpe, wordpiece or word learns one; a tokenizer.json or
        hf:owner/name is used as it is (data.tokenizer)
    vocab_size : int, optional
        Text: number of tokens to learn (encoder.vocab_size)
    init : str, optional
        Start from the weights of a model of the same sizes: a directory, hf:owner/name, or a
        CPC_audio checkpoint (train.init)
    resume_optimizer : bool
        With init: also load Adam's moments, which a checkpoint of cpc or of CPC_audio contains
    resume : bool
        Resume the run in out from its last checkpoint; if there is no run yet, start one
    overwrite : bool
        Replace the run in out
    device : str, optional
        Where to compute: auto, cpu, cuda, cuda:1 or metal
    listen : str or path, optional
        Write the first windows to `listen` as training would hear them, with the augmentations
        of data.augment, and stop
    print_config : bool
        Print the configuration that results from these options, and stop
    callback : callable, optional
        Called with each line of metrics, a dictionary as in metrics.jsonl.
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc pretrain --json` prints; printed itself, the table of the command.
    """
    if isinstance(train, dict):
        sections, train = {"train": train, **sections}, None
    return _call("pretrain", [*_many(data)], {"out": out, "preset": preset, "config": config, "set":
        _configured(settings, sections), "steps": steps, "batch_size": batch_size, "seed": seed, "train": train,
        "valid": valid, "on_bad_file": on_bad_file, "column": column, "rate": rate, "split": split, "tokenizer":
        tokenizer, "vocab_size": vocab_size, "init": init, "resume_optimizer": resume_optimizer, "resume": resume,
        "overwrite": overwrite, "device": device, "listen": listen, "print_config": print_config}, progress=progress,
        tell=callback)


def extract(
    model: str,
    input: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    out: str | os.PathLike | None = None,
    layer: str | Sequence[str] | None = None,
    format: Literal["npy", "safetensors", "parquet"] = "npy",
    normalize: Literal["none", "mean", "mean-var"] | None = None,
    pool: str | None = None,
    remove: str | None = None,
    on_bad_file: Literal["fail", "skip"] | None = None,
    column: Mapping[str, Any] | str | Sequence[str] | None = None,
    split: Literal["lines", "sentences"] | None = None,
    rate: float | None = None,
    shard: str | None = None,
    device: str = "auto",
    progress: bool | None = None,
) -> Any:
    """Write a model's features of recordings, sentences or images to files that other tools read.

    Write a frozen model's features to files. An audio model reads recordings, a series model
    recordings of several channels, a text model sentences, an image model images.

    c is the output of the context network, which summarizes everything up to a frame. It is the
    usual choice. z is the output of the encoder for the samples around it. There is one frame
    per hop of the model, 10 ms for the presets of audio. `out`/index.json lists the files and
    the times of frames. If the command is stopped, run it again and it resumes.

    pool writes one row for each recording in place of its frames.

    With a series model, channels are found by their names, in any order, and brought to the
    model's rate and scale; a stream is 32-bit floats, all channels of a sample after each
    other.

    With a text model, `input` is text in any form that `cpc pretrain` reads. Each file becomes
    `out`/<name>.npy, with one row (z) per sentence in the order of the file. With
    format="parquet" it becomes a table of sentences and vectors. `out`/<name>-lines.tsv has the
    line of the file that each row's sentence begins in.

    With an image model, `input` is images in any form that `cpc pretrain` reads. `out` gets
    train-y.npy, test-y.npy and the labels.

    Parameters
    ----------
    model : str
        A model directory, a run directory (its best model), hf:owner/name[@revision][/folder]
        on the hub, or a CPC_audio checkpoint; or `mfcc` or `logmel`, as baselines
    input : str or path, or a list of them
        Recordings, directories of recordings, manifests, parquet files, or
        hf://datasets/owner/name; `-` is standard input
    out : str or path, optional
        The directory to write to
    layer : str, or a list of them, optional
        Which outputs, separated by commas. Audio: c, z, c:1, c:2, ... of a deep context
        network, or several concatenated, such as c+z [default: c]. Images: conv, fc or y
        [default: y]
    format : {"npy", "safetensors", "parquet"}, optional
        The format of the files
    normalize : {"none", "mean", "mean-var"}, optional
        Normalization of each utterance over its frames [default: none]
    pool : str, optional
        One row for each recording in place of its frames: mean, mean+deviation (twice as many
        numbers) or last; or windows:SECONDS[/HOP], the mean of each window, such as windows:2/1
        for 2 s every second. Of text: for each document in place of its sentences, and windows
        of sentences [default: none]
    remove : str, optional
        Remove what tells speakers apart: `speaker` fits that on these features; a directory of
        such features, or its removal.safetensors, applies what was fitted there. The mean of
        each speaker is removed, too
    on_bad_file : {"fail", "skip"}, optional
        What to do about a file that cannot be read [default: fail]
    column : dict, optional
        Name a column of parquet data, such as {"speaker": "client_id"}, or the key of the text
        in JSONL, such as {"text": "content"}

        `what` is audio, speaker, id, label or text. The default columns are: for audio, audio;
        for speaker, the first of speaker_id, speaker and client_id; for id, id; for label,
        label; for text, text.
    split : {"lines", "sentences"}, optional
        With a text model: what counts as a sentence [default: lines]
    rate : float, optional
        Sample rate in Hz: of standard input [default: the model's], or of series whose files do
        not say
    shard : str, optional
        Only shard I of N, from 0/N to (N-1)/N, such as one of a cluster's array of jobs. When
        all are done, the same command without shard completes the directory
    device : str, optional
        Where to compute: auto, cpu, cuda, cuda:N or metal
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc extract --json` prints; printed itself, the table of the command.
    """
    return _call("extract", [model, *_many(input)], {"out": out, "layer": layer, "format": format, "normalize":
        normalize, "pool": pool, "remove": remove, "on_bad_file": on_bad_file, "column": column, "split": split, "rate":
        rate, "shard": shard, "device": device}, progress=progress)


def probe(
    features: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    labels: str | None = None,
    train: str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    folds: int | None = None,
    boundaries: bool = False,
    trials: str | os.PathLike | None = None,
    lda: int | None = None,
    division: Literal["subject", "recording"] | None = None,
    data: str | os.PathLike | None = None,
    task: str | None = None,
    column: Mapping[str, Any] | str | Sequence[str] | None = None,
    level: Literal["frame", "utterance", "last-frame"] | None = None,
    cut: Literal["end", "front"] | None = None,
    hidden: int | None = None,
    l2: str | None = None,
    names: str | os.PathLike | None = None,
    label_rate: float | None = None,
    frame_rate: float | None = None,
    layer: str | Sequence[str] | None = None,
    pool: str | None = None,
    multi_label: bool = False,
    rate: float | None = None,
    baselines: Literal["random", "mfcc", "logmel", "statistics", "bag", "tfidf", "pca", "pixels"] | Sequence[Literal["random", "mfcc", "logmel", "statistics", "bag", "tfidf", "pca", "pixels"]] | None = None,
    report: str | os.PathLike | None = None,
    seed: int | None = None,
    device: str = "auto",
    progress: bool | None = None,
) -> Any:
    """Measure how well a linear classifier predicts labels from features: phones, speakers, any
    labels.

    A multinomial logistic regression is trained on the utterances of train and tested once on
    those of test. The result is the accuracy with a 95 % interval (bootstrap over utterances),
    macro-F1, the recall of each class and the most confused pairs. Inputs are standardized. The
    penalty is chosen on a fifth of the training utterances.

    `features` is the output of `cpc extract`, any directory of .npy (frames, dimensions), or a
    model, whose features of data are extracted first. With data, baselines adds to the same
    table: an untrained model of the same shape, 13 MFCCs with deltas (Kaldi's, as in
    torchaudio.compliance.kaldi), or 40 log-mels.

    Protocols (level): `frame` classifies every frame, `utterance` the mean over an utterance,
    `last-frame` the last frame of each window of 20480 samples at 16 kHz (CPC_audio's speaker
    test).

    Parameters
    ----------
    features : str or path, or a list of them
        A directory of features, a .safetensors file, or a model with data; each adds its rows
        to the table
    labels : str, optional
        Labels: a file of frame labels (`<utterance> <id> <id> ...`), a table of utterance
        labels (`<utterance>`, a tab, `<label>`; or CSV; or columns that the first line names),
        or one of the words `speaker` and `label` (a column of parquet `data`)
    train : str or path, optional
        A file with the ids of the utterances to train on, one per line; with a text model,
        examples in the format of data
    test : str or path, optional
        A file with the ids of the utterances to test on, one per line; with a text model,
        examples in the format of data
    folds : int, optional
        Cross-validate in K folds over the utterances of train, or over all utterances
        [sentences: 10]
    boundaries : bool
        Boundaries of phones in place of a classifier: where the features change. How that is
        measured is chosen on train
    trials : str or path, optional
        Speaker verification in place of a classifier: trials `1 a b` and `0 a b`, or `a b
        target` and `a b nontarget`. The scores are cosines of the means of frames
    lda : int, optional
        With trials: project the means by linear discriminant analysis to N dimensions, fitted
        on the speakers of train
    division : {"subject", "recording"}, optional
        What folds keeps together: subjects are the first folders, or a column of tables
        [default: subject for a model of series, else recording]
    data : str or path, optional
        The recordings to extract features from, if `features` is a model or baselines are
        requested: a directory, a manifest, parquet files, or hf://datasets/owner/name

        With a text model: labeled sentences (`label`, a tab, `sentence`; or `label |||
        sentence`; or .csv) or pairs (`label`, a tab, `a`, a tab, `b`), or columns that the
        first line names. With task: SentEval's directory. With an image model: images in any
        form that `cpc pretrain` reads.
    task : str, optional
        With a text model: a SentEval task, such as MR, CR, SUBJ, MPQA or TREC; data is
        SentEval/data/downstream
    column : dict, optional
        Name a column of parquet data, such as {"speaker": "client_id"}, or the key of the text
        in JSONL, such as {"text": "content"}

        `what` is audio, speaker, id, label or text. The default columns are: for audio, audio;
        for speaker, the first of speaker_id, speaker and client_id; for id, id; for label,
        label; for text, text.
    level : {"frame", "utterance", "last-frame"}, optional
        What is classified [default: frame for frame labels, utterance otherwise]
    cut : {"end", "front"}, optional
        Which end to cut if an utterance has more labels than frames, or fewer [default: end]
    hidden : int, optional
        Train a hidden layer of `hidden` units before the classifier
    l2 : str, optional
        The penalty on the squared weights, relative to the sum of the losses (1 / C of scikit-
        learn) [default: auto]
    names : str or path, optional
        The names of frame labels: line n, counted from 0, names id n [default: phone_names.txt
        next to the labels, if it exists]
    label_rate : float, optional
        Frame labels per second [default: 100]
    frame_rate : float, optional
        Frames per second [default: from the features, or 100]
    layer : str, or a list of them, optional
        The layers to probe, if the features have several
    pool : str, optional
        How the frames of a recording of data are pooled before they are classified:
        mean+deviation, last or windows:SECONDS[/HOP], as in `cpc extract`
    multi_label : bool
        A recording may have several labels, separated by commas, semicolons or bars; `-` is
        none. The figure is the macro AUROC
    rate : float, optional
        Series: samples per second of recordings of data that do not say
    baselines : {"random", "mfcc", "logmel", "statistics", "bag", "tfidf", "pca", "pixels"}, or a list of them, optional
        Baseline features of data to compare with
    report : str or path, optional
        Write a report page to this directory: the confusion matrix, recalls and a map of the
        features
    seed : int, optional
        Seed of the folds, the held-out part, the bootstrap and the untrained model [default: 0]
    device : str, optional
        Where a model is computed: auto, cpu, cuda, cuda:N or metal
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc probe --json` prints; printed itself, the table of the command.
    """
    return _call("probe", [*_many(features)], {"labels": labels, "train": train, "test": test, "folds": folds,
        "boundaries": boundaries, "trials": trials, "lda": lda, "division": division, "data": data, "task": task,
        "column": column, "level": level, "cut": cut, "hidden": hidden, "l2": l2, "names": names, "label_rate":
        label_rate, "frame_rate": frame_rate, "layer": layer, "pool": pool, "multi_label": multi_label, "rate": rate,
        "baselines": baselines, "report": report, "seed": seed, "device": device}, progress=progress)


def finetune(
    model: str,
    *,
    data: str | os.PathLike,
    out: str | os.PathLike,
    labels: str | None = None,
    train: Mapping[str, Any] | str | os.PathLike | None = None,
    test: str | os.PathLike | None = None,
    ctc: Literal["phones", "characters"] | bool | None = None,
    fraction: float | Sequence[float] | None = None,
    head: Literal["linear", "hidden", "attention"] | None = None,
    layer: str | None = None,
    body_lr: float | None = None,
    multi_label: bool = False,
    balanced: bool = False,
    rate: float | None = None,
    on_bad_file: Literal["fail", "skip"] | None = None,
    settings: Mapping[str, Any] | Sequence[str] | None = None,
    steps: int | None = None,
    seed: int | None = None,
    overwrite: bool = False,
    device: str = "auto",
    callback: Callable[[dict[str, Any]], Any] | None = None,
    progress: bool | None = None,
    **sections: Mapping[str, Any],
) -> Any:
    """Train a classifier from few labels, on top of a model.

    A head is put on the model, and both are trained together; the model's learning rate is a
    tenth of the head's (body_lr). Training is validated on a fifth of the training recordings,
    of other subjects where there are enough, and ends when ten validations have brought nothing
    better. The result is tested once on the recordings of test, or on a seeded fifth of the
    subjects. It is a model: `cpc predict` applies it.

    fraction 0.01,0.1,1 trains with these shares of the labels, drawn by class, and compares in
    one table: the fine-tuned model, a linear probe of its features before, the same network
    from random weights, and a baseline (MFCCs for audio; for series, statistics of each
    channel; for images, 64 principal components; for text, random word vectors).

    ctc learns what is said in recordings from transcripts without times, with CTC: phones, or
    other symbols separated by blanks, or with ctc="characters" the characters of words. The
    figure is the phone or character error rate, and fraction compares with the model as it is
    (frozen) in place of the probe.

    Images have their labels with them. Sentences come with theirs, in a file with lines
    label<TAB>sentence, or in the files train.tsv and test.tsv of a directory.

    The same command again goes on where it was interrupted.

    Parameters
    ----------
    model : str
        The model: a model or run directory, hf:owner/name, or a CPC_audio checkpoint
    data : str or path
        The recordings, images or labeled sentences, in any form that the model's kind reads
    out : str or path
        The run directory
    labels : str, optional
        Recordings: a table of recordings and labels (a name, a tab, a label; or CSV; or columns
        that the first line names), or `speaker`; with ctc, transcripts (a name, a tab or a
        blank, and what is said)
    train : str or path, optional
        A file with the names of the recordings to train on, one per line [default: all that are
        not tested] (data.train); or a dictionary: the section `train` of the configuration
    test : str or path, optional
        A file with the names of the recordings to test on, one per line [default: a seeded
        fifth] (data.test)
    ctc : bool or {"phones", "characters"}, optional
        Learn transcripts in place of classes: phones (symbols separated by blanks) or
        characters (finetune.ctc)
    fraction : float, or a list of them, optional
        Shares of the labels to compare, from above 0 to 1
    head : {"linear", "hidden", "attention"}, optional
        The head (finetune.head)
    layer : str, optional
        The output of the model that is classified: c, z or c+z; of images y, fc or conv
        [default: the first] (finetune.layer)
    body_lr : float, optional
        The model's learning rate as a fraction of the head's; 0 leaves the model as it is
        [default: 0.1] (finetune.body_lr)
    multi_label : bool
        A recording may have several labels, separated by commas, semicolons or bars; `-` is
        none (finetune.multi_label)
    balanced : bool
        Every class counts the same, however many recordings it has (finetune.class_weights)
    rate : float, optional
        Series: samples per second of recordings that do not say (data.rate)
    on_bad_file : {"fail", "skip"}, optional
        What to do about a file that cannot be read (data.on_bad_file)
    settings : dict, optional
        Keys of the configuration, as in `{"train.lr": 1e-4}`. Sections may also be given as
        dictionaries of their own: `train={"lr": 1e-4}`.
    steps : int, optional
        Number of updates at most (train.steps)
    seed : int, optional
        The seed of every random stream (seed)
    overwrite : bool
        Replace what is in out
    device : str, optional
        Where to compute: auto, cpu, cuda, cuda:N or metal
    callback : callable, optional
        Called with each line of metrics, a dictionary as in metrics.jsonl.
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc finetune --json` prints; printed itself, the table of the command.
    """
    if isinstance(train, dict):
        sections, train = {"train": train, **sections}, None
    return _call("finetune", [model], {"data": data, "labels": labels, "out": out, "train": train, "test": test, "ctc":
        ctc, "fraction": fraction, "head": head, "layer": layer, "body_lr": body_lr, "multi_label": multi_label,
        "balanced": balanced, "rate": rate, "on_bad_file": on_bad_file, "set": _configured(settings, sections), "steps":
        steps, "seed": seed, "overwrite": overwrite, "device": device}, progress=progress, tell=callback)


def predict(
    model: str,
    input: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    out: str | os.PathLike | None = None,
    beam: int | None = None,
    rate: float | None = None,
    on_bad_file: Literal["fail", "skip"] | None = None,
    device: str = "auto",
    progress: bool | None = None,
) -> Any:
    """Classify or transcribe recordings, images or sentences with a model that `cpc finetune`
    trained.

    Apply a classifier that `cpc finetune` trained: the probability of each class for each
    recording, image or sentence. A recording that is longer than the classifier's window is cut
    into windows, and the mean of their probabilities is taken. A sentence is called by its file
    and line.

    A model that was trained with ctc writes what is said in each recording instead, one window
    after the other.

    Parameters
    ----------
    model : str
        A classifier: a run directory of `cpc finetune`, its model/, or hf:owner/name
    input : str or path, or a list of them
        Recordings, directories of recordings, images, or texts, in any form that the model's
        kind reads
    out : str or path, optional
        The file to write, .csv, .tsv, .parquet or, of classes, .npy (the probabilities alone)
        [default: the result has them]
    beam : int, optional
        Transcripts: the number of prefixes that the search keeps; 1 for the best path [default:
        10]
    rate : float, optional
        Series: samples per second of recordings that do not say
    on_bad_file : {"fail", "skip"}, optional
        What to do about a file that cannot be read [default: fail]
    device : str, optional
        Where to compute: auto, cpu, cuda, cuda:N or metal
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc predict --json` prints; printed itself, the table of the command.
    """
    return _call("predict", [model, *_many(input)], {"out": out, "beam": beam, "rate": rate, "on_bad_file": on_bad_file,
        "device": device}, progress=progress)


def abx(
    features: str | os.PathLike,
    item: str | os.PathLike,
    *,
    mode: Literal["within", "across"] | Sequence[Literal["within", "across"]] = ("within", "across",),
    distance: Literal["angular", "euclidean", "identical", "edit"] | Sequence[Literal["angular", "euclidean", "identical", "edit"]] | None = None,
    context: Literal["triphone", "any"] = "triphone",
    slicing: Literal["libri-light", "fastabx"] = "libri-light",
    frame_rate: float | None = None,
    layer: str | None = None,
    max_group: int | None = None,
    max_x_across: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Any:
    """Measure how well features discriminate phones (ABX error).

    How well features discriminate phones, without any training.

    The ABX error is the share of triples (A, B, X) in which X is closer to B, a different
    phone, than to A, the same phone. Chance is 50 %. `item` is an item file as in the Zero
    Resource Speech challenges and Libri-light: a header, then one line per item, `file onset
    offset phone prev-phone next-phone speaker`, with times in seconds. `features` is the output
    of `cpc extract`, or any directory of .npy (frames, dimensions).

    The computation is that of CPC_audio and Libri-light. Items are aligned by dynamic time
    warping, and its cost is divided by the length of the path. Frames are scaled to length 1
    before either distance. Errors are averaged over contexts, then speakers, then pairs of
    phones. Most published numbers use max_group 10 max_x_across 5; the default uses all
    triples.

    Parameters
    ----------
    features : str or path
        A directory of .npy features, a .safetensors, or a .jsonl of units that `cpc units
        apply` wrote
    item : str or path
        The item file
    mode : {"within", "across"}, or a list of them, optional
        Who says X: the speaker of A and B (within), a different speaker (across), or both
    distance : {"angular", "euclidean", "identical", "edit"}, or a list of them, optional
        Distances between frames: angular, euclidean, or both; of units identical, edit, or both
        [default: angular; of units identical]
    context : {"triphone", "any"}, optional
        Compare items with the same neighboring phones (triphone), or with any (any)
    slicing : {"libri-light", "fastabx"}, optional
        Which frames belong to an item. HuBERT's 3.06 % (libri-light) and 3.38 % (fastabx)
        differ only in this choice
    frame_rate : float, optional
        Frames per second [default: from the index.json of the features]
    layer : str, optional
        The layer to use, if the features have several
    max_group : int, optional
        Use at most N items per phone, speaker and context [default: all]
    max_x_across : int, optional
        Across: for each A, use X from at most N other speakers [default: all]
    seed : int, optional
        Seed of the subsampling
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc abx --json` prints; printed itself, the table of the command.
    """
    return _call("abx", [features, item], {"mode": mode, "distance": distance, "context": context, "slicing": slicing,
        "frame_rate": frame_rate, "layer": layer, "max_group": max_group, "max_x_across": max_x_across, "seed": seed},
        progress=progress)


def convert(
    from_: str,
    to: str | os.PathLike,
    *,
    overwrite: bool = False,
    progress: bool | None = None,
) -> Any:
    """Convert a model: from a PyTorch checkpoint to a model directory, and back.

    Convert an audio model.

    `from_` is any model: a model or run directory, a .safetensors file with its config.json, or
    a CPC_audio checkpoint (checkpoint_N.pt or its released weights, in either of PyTorch's file
    formats). A pickle is parsed, never executed.

    TO is a model directory, or a file ending in .pt. Both loaders of CPC_audio read that file:
    it holds {config, weights} as in the released models, {gEncoder, cpcCriterion} as in the
    checkpoints. If it is named checkpoint_N.pt, checkpoint_args.json and checkpoint_logs.json,
    which CPC_audio requires, are written next to it. CPC_audio's scores are means, so the
    prediction heads are scaled such that its loss equals this model's.

    Parameters
    ----------
    from_ : str
        The model to convert
    to : str or path
        The model directory to write, or a file ending in .pt
    overwrite : bool
        Replace what exists at TO
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc convert --json` prints; printed itself, the table of the command.
    """
    return _call("convert", [from_, to], {"overwrite": overwrite}, progress=progress)


def info(
    what: str | os.PathLike,
    *,
    rate: float | None = None,
    svg: str | os.PathLike | None = None,
    column: Mapping[str, Any] | str | Sequence[str] | None = None,
    progress: bool | None = None,
) -> Any:
    """Describe a corpus, a model or a run.

    Parameters
    ----------
    what : str or path
        Recordings (a directory, a manifest, parquet files, hf://datasets/owner/name), text or
        images; a model (a directory, hf:owner/name, a CPC_audio checkpoint); or a run directory
    rate : float, optional
        The rate in Hz: that audio would be resampled to [default: 16000], or of series whose
        files do not say
    svg : str or path, optional
        Draw the losses and accuracies of a run to a .svg file
    column : dict, optional
        Name a column of parquet data, such as {"speaker": "client_id"}, or the key of the text
        in JSONL, such as {"text": "content"}

        `what` is audio, speaker, id, label or text. The default columns are: for audio, audio;
        for speaker, the first of speaker_id, speaker and client_id; for id, id; for label,
        label; for text, text.
    progress : bool, optional
        Whether a progress bar is shown; by default on terminals and in notebooks.

    Returns
    -------
    Result, Rows or str
        What `cpc info --json` prints; printed itself, the table of the command.
    """
    return _call("info", [what], {"rate": rate, "svg": svg, "column": column}, progress=progress)
