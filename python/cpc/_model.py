"""Trained models."""

import json
import numbers
import os
import tempfile

import numpy as np

from . import _call, _cpc
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
        The kind of the model: audio, series, text, ...
    layers : list of str
        The layers that it has; the first is the default.
    rate : float or None
        The samples per second that it takes.
    channels : int or None
        The channels that it takes: 1 for audio.
    """

    def __init__(self, model, *, device="auto", offline=None):
        path = os.fspath(model)
        self.path = os.path.abspath(path) if os.path.exists(path) else path
        self.device = device
        self._offline = _call.offline if offline is None else offline
        _call.begin()
        self._model = _cpc.open(self.path, device, self._offline)
        self.kind = self._model.kind
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
        """Features of samples, of files, or of a list of either: what `cpc extract` writes.

        Parameters
        ----------
        data : array, str, path, or a list of them
            Samples: (samples) of audio between -1 and 1, or (samples, channels) of a series. Integers are divided by their full scale. An array of
            float32 in C order is not copied. Or the name of a file that the model reads.
        rate : float, optional
            Samples per second of arrays; by default the model's rate. Audio is resampled.
        layer : str or list of str, optional
            The layer, such as "c" or "z"; by default the first of `layers`. Several give a dictionary.
        progress : bool, optional
            Whether a progress bar is shown; by default on terminals and in notebooks.

        Returns
        -------
        array of float32 (frames, dimensions)
            Of a list, a list of them. With several layers, a dictionary by layer.
        """
        layers = [layer] if isinstance(layer, str) else list(layer or [])
        if is_path(data) or not isinstance(data, (list, tuple)) or not len(data) or isinstance(data[0], numbers.Number):
            return self._all([data], rate, layers, progress)[0]
        return self._all(list(data), rate, layers, progress)

    def _all(self, items, rate, layers, progress):
        found = self._of_files([os.path.abspath(os.fspath(item)) for item in items if is_path(item)], layers, progress)
        bar, of = Progress(progress), sum(not is_path(item) for item in items)
        results, done = [], 0
        try:
            for item in items:
                if is_path(item):
                    results.append(found[os.path.abspath(os.fspath(item))])
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

    def _samples(self, data):
        """Samples as float32, those of all channels after each other."""
        array = array_of(data, "samples")
        if array.dtype.kind in "USb":
            raise UsageError("samples are numbers\ngive an array of float32, or the name of a file as a path")
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
        array = np.ascontiguousarray(array, dtype=np.float32).reshape(-1)
        return array if scale is None else array / np.float32(scale)

    def _of_files(self, paths, layers, progress):
        """Features by file."""
        found = {}
        if not paths:
            return found
        with tempfile.TemporaryDirectory() as out:
            _call.call(
                "extract",
                [self.path, *dict.fromkeys(paths)],
                {"out": out, "layer": layers, "device": self.device},
                progress=progress,
            )
            with open(os.path.join(out, "index.json")) as file:
                index = json.load(file)
            for utterance in index["utterances"]:
                source = (utterance.get("source") or {}).get("recording")
                if source is None or source in found:
                    raise UsageError(f"{paths[0]} holds several recordings\nextract them to files with cpc.extract")
                folders = layers if len(layers) > 1 else [""]
                arrays = [np.load(os.path.join(out, folder.replace(":", ""), utterance["file"])) for folder in folders]
                found[source] = self._named(arrays, layers)
        missing = [path for path in paths if path not in found]
        if missing:
            raise UsageError(f"{missing[0]} is not one recording\nextract directories and manifests to files with cpc.extract")
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
        layers = [layer] if isinstance(layer, str) else list(layer or [])
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
        return self._taken(self._stream.push(self._model._samples(samples)))

    def finish(self):
        """Ends the signal, and returns its last frames."""
        return self._taken(self._stream.finish())

    def seconds(self, frame):
        """The time of a frame in seconds: the middle of what it sees."""
        return self._stream.seconds(frame)

    def _taken(self, arrays):
        self.frames += len(arrays[0])
        return Model._named(arrays, self._layers)


def _reopened(path, device, offline):
    return Model(path, device=device, offline=offline)
