"""Trained models."""

import json
import numbers
import os
import tempfile

import numpy as np

from . import _call, _cpc
from ._arguments import many
from ._errors import Error, UsageError
from ._progress import Progress
from ._results import Result
from ._tables import array_of, is_path

#: What integers are divided by to be samples from -1 to 1, as readers of audio do.
_FULL = {"i1": 2**7, "i2": 2**15, "i4": 2**31}


def load(model, *, device="auto", offline=None):
    """Opens a trained model.

    Parameters
    ----------
    model : str or path
        A model or run directory, `hf:owner/name` on the Hugging Face hub, or a checkpoint of CPC_audio (.pt).
    device : str, optional
        Where to compute: auto, cpu, cuda, cuda:1 or metal.
    offline : bool, optional
        Whether network connections are forbidden; by default as `cpc.offline` says.

    Returns
    -------
    Model
    """
    return Model(model, device=device, offline=offline)


class Model:
    """A trained model. It may be used from several threads, and pickled: a process that unpickles it opens it again by its path.

    Parameters
    ----------
    model, device, offline
        As for `cpc.load`.

    Attributes
    ----------
    path : str
        What was opened.
    kind : str
        The kind of the model, such as cpc-audio.
    subject : str
        What it is a model of: audio, series, text or images.
    layers : list of str
        The layers that it has; the first is the default.
    rate : float or None
        The samples per second that it takes.
    channels : int or None
        The channels that it takes: 1 for audio.
    """

    def __init__(self, model, *, device="auto", offline=None):
        path = os.fsdecode(model)
        self.path = os.path.abspath(path) if os.path.exists(path) else path
        self.device = device or "auto"
        self._offline = _call.offline if offline is None else offline
        _call.begin()
        self._model = _cpc.open(self.path, self.device, self._offline)
        self.kind = self._model.kind
        self.subject = self._model.subject
        self.layers = self._model.layers
        try:
            self._signal, self.channels, self.rate = self._model.signal()
        except Error:
            self._signal = self.channels = self.rate = None

    def __reduce__(self):
        return _reopened, (self.path, self.device, self._offline)

    def __repr__(self):
        return f"cpc.Model({self.path!r})\n{self.info().text}".rstrip("\n")

    def info(self):
        """Its sizes: a Result that prints as `cpc info` does."""
        found, text = self._model.describe()
        return Result(json.loads(found), text=text)

    def features(self, data, rate=None, layer=None, *, progress=None):
        """Features of samples, of files, or of a list of either; of sentences by a model of text: what `cpc extract` writes.

        Parameters
        ----------
        data : array, str, path, or a list of them
            Samples: (samples) of audio between -1 and 1, or (samples, channels) of a series. Integers are divided by their full scale. An array of
            float32 in C order is not copied. Or the name of a file that the model reads. For models of text, strings are sentences, and files
            are given as `pathlib.Path`.
        rate : float, optional
            Samples per second of arrays; by default the model's rate. Audio is resampled.
        layer : str or list of str, optional
            The layer, such as "c" or "z"; by default the first of `layers`. Several give a dictionary.
        progress : bool, optional
            Whether a progress bar is shown; by default on terminals and in notebooks.

        Returns
        -------
        array of float32 (frames, dimensions)
            Of a list, a list of them. With several layers, a dictionary by layer. Of a sentence (dimensions), of a list of sentences
            (sentences, dimensions), of a file of text likewise.
        """
        layers = many(layer)
        if self.subject == "text":
            return self._of_text(data, layers, progress)
        if self.subject == "images":
            raise UsageError(f"{self.path} is a model of images\nextract their features to files with cpc.extract")
        if isinstance(data, (list, tuple)) and not data:
            return []
        if is_path(data) or not isinstance(data, (list, tuple)) or isinstance(data[0], numbers.Number):
            return self._all([data], rate, layers, progress)[0]
        return self._all(list(data), rate, layers, progress)

    def _all(self, items, rate, layers, progress):
        items = [os.path.abspath(os.fspath(item)) if is_path(item) else item for item in items]
        found = self._of_files([item for item in items if is_path(item)], layers, progress)
        bar, of = Progress(progress), sum(not is_path(item) for item in items)
        results, done = [], 0
        try:
            for item in items:
                if is_path(item):
                    results.append(found[item])
                    continue
                arrays = self._model.features(self._samples(item), None if rate is None else float(rate), layers)
                results.append(self._named(arrays, layers))
                done += 1
                if of > 1:
                    bar("progress", ("", "recordings", done, of))
        finally:
            bar.close()
        return results

    @staticmethod
    def _named(arrays, layers):
        return dict(zip(layers, arrays)) if len(layers) > 1 else arrays[0]

    def _of_text(self, data, layers, progress):
        """Vectors of sentences."""
        sentences = [data] if isinstance(data, str) else data
        file = not isinstance(data, str) and is_path(data)
        if not file and (not isinstance(sentences, (list, tuple)) or not all(isinstance(each, str) for each in sentences)):
            raise UsageError("sentences are strings\ngive a string, a list of strings, or the name of a file as pathlib.Path")
        with tempfile.TemporaryDirectory() as place:
            path, split = data, None
            if not file:
                lines = [" ".join(sentence.split()) for sentence in sentences]
                if not all(lines):
                    raise UsageError(f"sentence {lines.index('')} is empty\nleave it out")
                path, split = os.path.join(place, "sentences.txt"), "lines"
                with open(path, "w", encoding="utf-8") as text:
                    text.writelines(line + "\n" for line in lines)
            files = self._extracted([path], os.path.join(place, "out"), layers, split, progress)["files"]
            if len(files) != 1:
                raise UsageError(f"{path} holds several texts\nextract their features to files with cpc.extract")
            vectors = np.load(os.path.join(place, "out", files[0]["file"]))
        if not file and len(vectors) != len(sentences):
            raise Error(f"{len(sentences)} sentences gave {len(vectors)} vectors\nreport this as a bug in cpc")
        return vectors[0] if isinstance(data, str) else vectors

    def _samples(self, data, few=1):
        """Samples as float32, those of all channels after each other."""
        array = array_of(data, "samples")
        if array.dtype.kind in "USb" or array.ndim == 0 or array.size < few:
            raise UsageError(f"{array.size} values of {array.dtype} are no samples\ngive an array of float32, or the name of a file as a path")
        scale = _FULL.get(array.dtype.str[1:])
        if self._signal == "audio":
            if array.ndim == 2 and 1 in array.shape:
                array = array.reshape(-1)
            if array.ndim != 1:
                raise UsageError(
                    f"samples of audio have one dimension, and these have the shape {array.shape}\n"
                    "average the channels, for example with samples.mean(axis=0), or give several recordings as a list"
                )
            if scale is None and array.dtype.kind in "iu":
                raise UsageError(f"samples of {array.dtype} have no full scale\nconvert them to float32 between -1 and 1")
        elif self._signal == "series" and (array.ndim != 2 or array.shape[1] != self.channels):
            raise UsageError(
                f"the model takes series (samples, {self.channels}), and these have the shape {array.shape}\n"
                "transpose the array, or choose its channels as the model's card lists them"
            )
        else:
            scale = None
        array = np.require(array, np.float32, ["C", "A"]).reshape(-1)
        return array if scale is None else array / np.float32(scale)

    def _extracted(self, paths, out, layers, split, progress):
        """Writes features of files to a directory, by this model, and returns its index."""
        bar = Progress(progress)
        tell = lambda kind, value: bar(kind, value) if kind in ("progress", "done") else None  # noqa: E731
        try:
            self._model.extract([os.fspath(path) for path in paths], out, layers, split, tell)
        finally:
            bar.close()
        with open(os.path.join(out, "index.json")) as index:
            return json.load(index)

    def _of_files(self, paths, layers, progress):
        """Features by file. Files of one name, from different folders, are extracted one after the other."""
        found, waiting = {}, list(dict.fromkeys(paths))
        for path in waiting:
            if os.path.isdir(path):
                raise UsageError(f"{path} is a directory\nname its files, or extract it to files with cpc.extract")
        while waiting:
            by_name = {}
            for path in waiting:
                by_name.setdefault(os.path.splitext(os.path.basename(path))[0], path)
            now = list(by_name.values())
            waiting = [path for path in waiting if path not in set(now)]
            with tempfile.TemporaryDirectory() as place:
                out = os.path.join(place, "out")
                for utterance in self._extracted(now, out, layers, None, progress)["utterances"]:
                    source = (utterance.get("source") or {}).get("recording")
                    if source is None or source in found:
                        raise UsageError(f"{source or now[0]} holds several recordings\nextract them to files with cpc.extract")
                    folders = [layer.replace(":", "") for layer in layers] if len(layers) > 1 else [""]
                    arrays = [np.load(os.path.join(out, folder, utterance["file"])) for folder in folders]
                    found[source] = self._named(arrays, layers)
            missing = [path for path in now if path not in found]
            if missing:
                raise UsageError(f"{missing[0]} is not one recording\nextract manifests and tables to files with cpc.extract")
        return found

    def stream(self, rate=None, layer=None):
        """A signal that arrives in pieces: `push` returns the frames that are final.

        Parameters
        ----------
        rate, layer
            As for `features`.

        Returns
        -------
        Stream
        """
        layers = many(layer)
        return Stream(self, self._model.stream(None if rate is None else float(rate), layers), layers)


class Stream:
    """A signal that arrives in pieces.

    Attributes
    ----------
    frame_rate : float
        Frames per second.
    frames : int
        The number of frames that were returned.
    """

    def __init__(self, model, stream, layers):
        self._model, self._stream, self._layers = model, stream, layers
        self.frame_rate = stream.frame_rate
        self.frames = 0

    def push(self, samples):
        """Accepts samples, and returns the frames that they make final: (frames, dimensions), perhaps none.

        Parameters
        ----------
        samples : array
            As for `Model.features`.
        """
        return self._taken(self._stream.push(self._model._samples(samples, few=0)))

    def finish(self):
        """Ends the signal, and returns its last frames."""
        return self._taken(self._stream.finish())

    def __repr__(self):
        layers = ", ".join(f"{name} ({dim})" for name, dim in self._stream.layers)
        return f"cpc.Stream of {self._model.path!r}: {layers}; {self.frames} frames, {self.frame_rate:g} per second"

    def seconds(self, frame):
        """The time of a frame in seconds: the middle of what it sees."""
        return self._stream.seconds(frame)

    def _taken(self, arrays):
        self.frames += len(arrays[0])
        return Model._named(arrays, self._layers)


def _reopened(path, device, offline):
    return Model(path, device=device, offline=offline)
