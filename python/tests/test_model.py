"""Models: features of arrays, files and streams; training."""

import concurrent.futures
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import cpc


def test_features_of_a_file_are_those_that_extract_writes(run, recordings, tmp_path, command):
    command("extract", run, *recordings, "--out", tmp_path / "out", "--layer", "c,z")
    model = cpc.load(run)
    found = model.features(recordings, layer=["c", "z"])
    for recording, features in zip(recordings, found):
        name = os.path.basename(recording).replace(".flac", ".npy")
        for layer, array in features.items():
            want = next((tmp_path / "out" / layer).rglob(name))
            assert array.dtype == np.float32 and np.array_equal(array, np.load(want))
    assert np.array_equal(model.features(recordings[0]), found[0]["c"])


def test_features_of_samples_are_those_of_a_file_with_them(run, samples, tmp_path):
    import wave

    whole = (samples * 32767).astype(np.int16)
    model = cpc.load(run)
    for rate in (16000, 8000):
        with wave.open(str(tmp_path / f"{rate}.wav"), "wb") as file:
            file.setparams((1, 2, rate, len(whole), "NONE", ""))
            file.writeframes(whole.tobytes())
        want = model.features(tmp_path / f"{rate}.wav")
        assert np.array_equal(model.features(whole, rate=rate), want)
        assert np.array_equal(model.features((whole / 32768).astype(np.float32), rate=rate), want)


def test_files_of_one_name_in_several_folders(run, recordings, tmp_path):
    import shutil

    copies = []
    for i, recording in enumerate(recordings[:2]):
        (tmp_path / str(i)).mkdir()
        copies.append(shutil.copy(recording, tmp_path / str(i) / "same.flac"))
    model = cpc.load(run)
    for found, want in zip(model.features(copies), model.features(recordings[:2])):
        assert np.array_equal(found, want)
    with pytest.raises(ValueError, match="is a directory"):
        model.features(tmp_path)
    assert model.features([]) == []


def test_arrays_of_any_kind_give_the_same(run, samples):
    model = cpc.load(run)
    want = model.features(samples)
    assert want.shape[1] == 128 and want.flags.c_contiguous and want.flags.writeable
    strided = np.zeros(2 * len(samples), dtype=np.float32)
    strided[::2] = samples
    read_only = samples.copy()
    read_only.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + samples.tobytes(), dtype=np.uint8)[1:].view(np.float32)
    for same in (samples.astype(np.float64), strided[::2], samples.tolist(), samples[None, :], read_only, unaligned):
        assert np.array_equal(model.features(same), want)
    several = model.features([samples, samples[:16000]])
    assert np.array_equal(several[0], want) and len(several[1]) < len(want)


def test_tensors_of_torch_are_arrays(run, samples):
    torch = pytest.importorskip("torch")
    model = cpc.load(run)
    assert np.array_equal(model.features(torch.from_numpy(samples)), model.features(samples))


def test_models_of_text_take_sentences_and_files(demo, tmp_path):
    cpc.pretrain(demo.parent / "verses", out=tmp_path / "t", preset="text-demo", steps=2)
    model = cpc.load(tmp_path / "t")
    sentences = ["In the beginning was the word.", "And it was\ngood, and very good."]
    vectors = model.features(sentences)
    assert vectors.shape == (2, 128) and np.array_equal(model.features(sentences[0]), vectors[0])
    (tmp_path / "s.txt").write_text("\n".join(" ".join(sentence.split()) for sentence in sentences))
    assert np.array_equal(model.features(tmp_path / "s.txt"), vectors)
    for wrong, says in ((np.zeros(3), "strings"), (["a", " "], "sentence 1 is empty"), ([1], "strings")):
        with pytest.raises(ValueError, match=says):
            model.features(wrong)
    with pytest.raises(ValueError, match="stream"):
        model.stream()


def test_models_of_series_take_all_channels(demo, tmp_path):
    motion = demo.parent / "motion"
    with pytest.warns(cpc.Warning, match="subject"):
        cpc.pretrain(motion, out=tmp_path / "m", steps=2)
    model = cpc.load(tmp_path / "m")
    file = sorted((motion / "recordings").glob("*.csv"))[0]
    values = np.loadtxt(file, delimiter=",", skiprows=1)
    values = values[:, -model.channels :]
    of_file, of_array = model.features(file), model.features(values)
    assert of_file.shape == of_array.shape
    np.testing.assert_allclose(of_array, of_file, atol=1e-4)
    with pytest.raises(ValueError, match="transpose"):
        model.features(values.T)
    with pytest.raises(ValueError, match="the model's rate"):
        model.features(values, rate=3)


def test_a_stream_gives_the_frames_of_the_whole(run, samples):
    model = cpc.load(run)
    want = model.features(samples, rate=8000)
    stream = model.stream(rate=8000)
    pieces = [stream.push(piece) for piece in np.array_split(samples, 37)] + [stream.finish()]
    assert stream.frames == len(want)
    np.testing.assert_allclose(np.concatenate(pieces), want, atol=2e-5)
    with pytest.raises(ValueError, match="has ended"):
        stream.push(samples)


@pytest.mark.parametrize(
    ("call", "kind", "says"),
    [
        (lambda model: model.features(np.zeros((3, 1000))), ValueError, "average the channels"),
        (lambda model: model.features(np.zeros(10, np.float32)), cpc.Error, "too few"),
        (lambda model: model.features(np.full(20000, np.nan)), cpc.Error, "value 0 of the samples is NaN"),
        (lambda model: model.features(np.zeros(0)), ValueError, "are no samples"),
        (lambda model: model.features(np.zeros(20000, "m8[s]")), ValueError, "durations"),
        (lambda model: model.features(np.zeros(20000), rate=3), ValueError, "rate 3: not a rate"),
        (lambda model: model.features(np.zeros(20000), layer="q"), ValueError, "layer"),
        (lambda model: model.features(np.zeros(20000, np.uint16)), ValueError, "full scale"),
        (lambda model: model.features("nowhere.wav"), FileNotFoundError, "nowhere.wav"),
        (lambda model: model.features(os.path.dirname(__file__)), ValueError, "is a directory"),
        (lambda model: cpc.load("nowhere"), cpc.Error, "nowhere"),
    ],
)
def test_what_cannot_be_read_is_said(run, call, kind, says):
    with pytest.raises(kind, match=says):
        call(cpc.load(run))


def test_models_are_described_and_pickled(run, samples, command):
    model = cpc.load(run / "model")
    assert model.info() == command("info", run / "model")
    assert "receptive field" in repr(model) and model.rate == 16000 and model.layers[0] == "c"
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.features(samples), model.features(samples))


def test_training_tells_its_lines_and_is_the_command_s(run, demo, tmp_path, command):
    lines = []
    result = cpc.pretrain(
        demo, out=tmp_path / "a", preset="demo", steps=12, batch_size=4, settings={"data.window": 8000}, train={"log_every": 4},
        callback=lines.append,
    )
    written = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert [(line["kind"], line["step"], line["loss"]) for line in lines] == [(w["kind"], w["step"], w["loss"]) for w in written]
    assert set(lines[0]) == set(written[0]) and "k   ahead" in str(result)
    assert result._repr_svg_() == cpc.info(tmp_path / "a")._repr_svg_() and "validation" in result._repr_svg_()
    flags = ["--preset", "demo", "--steps", 12, "--batch-size", 4, "--set", "data.window=8000", "--set", "train.log_every=4"]
    command("pretrain", demo, "--out", tmp_path / "b", *flags)
    for name in ("a", "b"):
        assert (tmp_path / name / "model" / "model.safetensors").read_bytes() == (run / "model" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        ({"train": {"lrr": 1}}, ValueError, "train.lrr: unknown key"),
        ({"trian": {"lr": 1}}, ValueError, "trian"),
        ({"foo": 3}, TypeError, "foo"),
        ({"preset": "none"}, ValueError, "none"),
        ({"train": {"lr": object()}}, ValueError, "no value of a setting"),
        ({"seed": float("nan")}, ValueError, "NaN|nan"),
    ],
)
def test_wrong_settings_are_said(demo, tmp_path, arguments, kind, says):
    with pytest.raises(kind, match=says):
        cpc.pretrain(demo, out=tmp_path / "x", **arguments)
    assert not (tmp_path / "x").exists()


def test_settings_are_what_they_are(demo, tmp_path):
    name = "/x/\U0001f600 \"quoted\"\\"
    shown = cpc.pretrain(
        demo, preset="demo", print_config=True, settings={"data.train": name}, train={"lr": np.float32(0.5), "betas": np.array([0.5, 0.75])},
    )
    tomllib = pytest.importorskip("tomllib")
    values = tomllib.loads(shown)
    assert values["data"]["train"] == name and values["train"]["lr"] == 0.5 and values["train"]["betas"] == [0.5, 0.75]


def test_what_is_raised_at_the_end_of_training_is_not_lost(demo, tmp_path):
    def raises(line):
        if line["step"] == 4:
            raise KeyError("last")

    with pytest.raises(KeyError):
        cpc.pretrain(demo, out=tmp_path / "x", preset="demo", steps=4, batch_size=2, train={"log_every": 1}, callback=raises)


def test_callbacks_are_called_where_training_was(demo, tmp_path):
    threads = set()
    cpc.pretrain(
        demo, out=tmp_path / "x", preset="demo", steps=2, batch_size=2, train={"log_every": 1},
        callback=lambda line: threads.add(threading.current_thread()),
    )
    assert threads == {threading.current_thread()}


def test_what_a_callback_raises_ends_training(demo, tmp_path):
    class Enough(Exception):
        pass

    def raises(line):
        raise Enough(line["step"])

    with pytest.raises(Enough):
        cpc.pretrain(demo, out=tmp_path / "x", preset="demo", steps=500, batch_size=2, train={"log_every": 1}, callback=raises)
    assert list((tmp_path / "x" / "checkpoints").iterdir())


def test_two_threads_compute_at_once(run, samples):
    model, ticks, done = cpc.load(run), [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.005)

    watch = threading.Thread(target=tick)
    watch.start()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first, second = pool.map(model.features, [np.tile(samples, 20)] * 2)
    done.set()
    watch.join()
    assert np.array_equal(first, second)
    # The interpreter was free all the time.
    assert len(ticks) > 5 and max(np.diff(ticks)) < 0.5


INTERRUPTED = """
import os, signal, sys, threading, time
import cpc
threading.Timer(float(sys.argv[1]), lambda: os.kill(os.getpid(), signal.SIGINT)).start()
began = time.perf_counter()
try:
    {work}
except KeyboardInterrupt:
    print(time.perf_counter() - began)
    time.sleep(1)
    began = time.process_time()
    time.sleep(1)
    print(time.process_time() - began)
"""


def interrupted(work, after):
    done = subprocess.run([sys.executable, "-c", INTERRUPTED.format(work=work), str(after)], capture_output=True, text=True)
    assert done.stdout, done.stderr
    took, busy = map(float, done.stdout.split())
    assert busy < 0.3, "the work goes on"
    return took - after


def test_control_c_ends_estimates_at_once():
    work = "import numpy as np; x = np.random.default_rng(0).normal(size=(5000, 8)); cpc.mi.estimate(x, x[:, ::-1] + x, estimator='infonce')"
    assert interrupted(work, 1.0) < 1


def test_control_c_ends_training_after_a_checkpoint(demo, tmp_path):
    out = tmp_path / "x"
    work = f"cpc.pretrain({str(demo)!r}, out={str(out)!r}, preset='demo', batch_size=2, settings={{'data.window': 8000, 'train.schedule': 'constant'}})"
    assert interrupted(work, 2.0) < 3
    steps = [int(path.name.split("-")[1]) for path in (out / "checkpoints").iterdir()]
    assert len(steps) == 1 and steps[0] > 0
    cpc.pretrain(out=out, resume=True, steps=steps[0] + 2)
    assert (out / "model" / "model.safetensors").exists()


def of_process(path, samples, results):
    try:
        results.put(cpc.load(path).features(samples).sum())
    except BaseException as error:
        results.put(f"{type(error).__name__}: {error}")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_forks_are_named_and_spawned_processes_compute(run, samples):
    want = cpc.load(run).features(samples).sum()
    assert cpc.threads() >= 1  # which starts none
    for method in ("fork", "spawn"):
        context = multiprocessing.get_context(method)
        results = context.Queue()
        process = context.Process(target=of_process, args=(str(run), samples, results))
        process.start()
        found = results.get(timeout=60)
        process.join()
        if method == "fork":
            assert "forked" in found and "spawn" in found
        else:
            assert found == want


def test_signals_stay_python_s():
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_stream_that_was_interrupted_has_ended(run, samples):
    stream = cpc.load(run).stream()
    assert stream.push(samples[:0]).shape == (0, 128)
    long = np.tile(samples, 400)
    timer = threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        stream.push(long)
        time.sleep(5)
    with pytest.raises(ValueError, match="was interrupted"):
        stream.push(samples)
