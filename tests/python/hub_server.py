"""Drives the tests' hub with PyPI's huggingface_hub, to show that it behaves as the hub does for a client that nobody here
wrote: create, push, list, pull, private and gated repositories, refs, offline, and the errors.

    python hub_server.py ENDPOINT TOKEN

The server has to hold `tester/gated` (gated), `tester/busy` (throttled) and `others/model` (whose namespace is forbidden
to the token), each with a config.json; and `tester/faulty` with {cut-once,changed,expired}.safetensors of over 2 MiB,
each with its fault. Prints the version it ran with, and `ok` last. Needs huggingface_hub, numpy and
safetensors. xet is switched off: the server does not offer it, and huggingface_hub then uploads by LFS.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ENDPOINT, TOKEN = sys.argv[1:]
HOME = tempfile.TemporaryDirectory()
os.environ.update(
    HF_ENDPOINT=ENDPOINT,
    HF_HOME=HOME.name,
    HF_HUB_DISABLE_XET="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_HUB_DISABLE_PROGRESS_BARS="1",
)
os.environ.pop("HF_TOKEN", None)

import huggingface_hub  # noqa: E402  (it reads its environment when imported)
import numpy as np  # noqa: E402
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard  # noqa: E402
from huggingface_hub import hf_hub_download, snapshot_download  # noqa: E402
from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, HfHubHTTPError  # noqa: E402
from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError  # noqa: E402
from safetensors.numpy import load_file, save_file  # noqa: E402

api = HfApi(token=TOKEN)
anyone = HfApi(token=False)
CARD = "---\nlibrary_name: cpc-toolkit\ntags:\n- audio\n---\n\n# A model\n"


def raises(error, call, *args, **kwargs):
    """The error of this type that the call raises."""
    try:
        result = call(*args, **kwargs)
    except error as raised:
        return raised
    raise AssertionError(f"{call.__name__} gave {result!r} where {error.__name__} was due")


def status(error):
    return error.response.status_code


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def write_model(folder):
    """A card, a configuration, 12 MB of weights, and a file in a subfolder, as a pushed model has them."""
    weights = np.random.default_rng(0).standard_normal((1000, 3000)).astype(np.float32)
    folder.mkdir()
    (folder / "README.md").write_text(CARD)
    (folder / "config.json").write_text('{"hop": 160}')
    save_file({"encoder.weight": weights}, folder / "model.safetensors")
    (folder / "notes of a run").mkdir()
    (folder / "notes of a run" / "loss #1.txt").write_text("1.0\n")
    return weights


def pushes_and_pulls(work):
    weights = write_model(work / "made")
    url = api.create_repo("tester/made")
    assert url.repo_id == "tester/made" and str(url) == f"{ENDPOINT}/tester/made", url
    assert api.create_repo("tester/made", exist_ok=True).repo_id == "tester/made"
    assert status(raises(HfHubHTTPError, api.create_repo, "tester/made")) == 409

    commit = api.upload_folder(repo_id="tester/made", folder_path=work / "made", commit_message="first")
    info = api.model_info("tester/made", files_metadata=True)
    assert info.sha == commit.oid and info.id == "tester/made" and info.private is False
    large = {sibling.rfilename: sibling.lfs for sibling in info.siblings}["model.safetensors"]
    assert large.sha256 == sha256(work / "made/model.safetensors") and large.size > 12_000_000

    # Nothing changed, so nothing is committed: the server named each file's hash in its preupload answer.
    assert api.upload_folder(repo_id="tester/made", folder_path=work / "made").oid == commit.oid

    tree = {entry.path: entry for entry in anyone.list_repo_tree("tester/made", recursive=True)}
    assert list(tree) == [
        ".gitattributes", "README.md", "config.json", "model.safetensors", "notes of a run", "notes of a run/loss #1.txt"
    ], list(tree)
    assert tree["model.safetensors"].lfs.sha256 == large.sha256
    top = {entry.path: entry for entry in anyone.list_repo_tree("tester/made", expand=True)}
    assert "notes of a run" in top and "notes of a run/loss #1.txt" not in top
    assert top["config.json"].last_commit.oid == commit.oid
    within = [entry.path for entry in anyone.list_repo_tree("tester/made", "notes of a run")]
    assert within == ["notes of a run/loss #1.txt"], within
    paths = anyone.get_paths_info("tester/made", ["config.json", "notes of a run", "absent"])
    assert [entry.path for entry in paths] == ["config.json", "notes of a run"]
    assert anyone.file_exists("tester/made", "config.json") and not anyone.file_exists("tester/made", "absent")

    folder = Path(snapshot_download("tester/made", token=False))
    assert folder.name == commit.oid
    for path in (work / "made").rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(work / "made")).read_bytes() == path.read_bytes(), path
    assert np.array_equal(load_file(folder / "model.safetensors")["encoder.weight"], weights)
    # The blobs in the cache carry the hashes that a client can check: SHA-256, or git's name for a small file.
    assert os.path.basename(os.path.realpath(folder / "model.safetensors")) == large.sha256
    small = b'blob 12\0{"hop": 160}'
    assert os.path.basename(os.path.realpath(folder / "config.json")) == hashlib.sha1(small).hexdigest()

    # Each alone, into another cache and into a plain folder.
    for name in ["config.json", "model.safetensors", "notes of a run/loss #1.txt"]:
        assert sha256(hf_hub_download("tester/made", name, cache_dir=work / "cache", token=False)) == sha256(work / "made" / name)
        assert sha256(hf_hub_download("tester/made", name, local_dir=work / "plain", token=False)) == sha256(work / "made" / name)
    metadata = huggingface_hub.get_hf_file_metadata(f"{ENDPOINT}/tester/made/resolve/main/model.safetensors")
    assert (metadata.commit_hash, metadata.etag, metadata.size) == (commit.oid, large.sha256, large.size)
    assert "/storage/" in metadata.location

    RepoCard(CARD).validate("model")
    return commit.oid


def serves_ranges(work):
    whole = (work / "made/model.safetensors").read_bytes()
    response = huggingface_hub.get_session().get(
        f"{ENDPOINT}/tester/made/resolve/main/model.safetensors", headers={"Range": "bytes=100-199"}, follow_redirects=True
    )
    assert response.status_code == 206 and response.content == whole[100:200]
    assert response.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"


def suffers_the_faults(work):
    def pull(name):
        return hf_hub_download("tester/faulty", name, local_dir=work / "faulty", token=False)

    sizes = {entry.path: entry for entry in anyone.list_repo_tree("tester/faulty")}
    # Cut off on the way, gone on with by a range: the whole file is there, and it is the right one.
    entry = sizes["cut-once.safetensors"]
    assert sha256(pull(entry.path)) == entry.lfs.sha256
    # A changed byte is not seen by this client: it compares the sizes. Ours has to look at the hash.
    entry = sizes["changed.safetensors"]
    assert os.path.getsize(pull(entry.path)) == entry.size and sha256(pull(entry.path)) != entry.lfs.sha256
    assert status(raises(HfHubHTTPError, pull, "expired.safetensors")) == 403


def has_refs(first):
    api.create_tag("tester/made", tag="v1.0")
    api.create_branch("tester/made", branch="try/wider")
    assert status(raises(HfHubHTTPError, api.create_branch, "tester/made", branch="try/wider")) == 409
    second = api.create_commit(
        "tester/made",
        [CommitOperationAdd("config.json", b'{"hop": 320}'), CommitOperationDelete("notes of a run/", is_folder=True)],
        commit_message="wider",
        revision="try/wider",
        parent_commit=first,
    )
    assert second.oid != first
    stale = raises(HfHubHTTPError, api.create_commit, "tester/made", [CommitOperationDelete("config.json")],
                   commit_message="stale", revision="try/wider", parent_commit=first)
    assert status(stale) == 412
    refs = anyone.list_repo_refs("tester/made")
    assert {ref.name: ref.target_commit for ref in refs.branches} == {"main": first, "try/wider": second.oid}
    assert [(ref.name, ref.target_commit) for ref in refs.tags] == [("v1.0", first)]
    assert [commit.commit_id for commit in anyone.list_repo_commits("tester/made", revision="try/wider")][:2] == [second.oid, first]

    def config(revision):
        return Path(hf_hub_download("tester/made", "config.json", revision=revision, token=False)).read_text()

    assert config("v1.0") == config("main") == config(first) == '{"hop": 160}'
    assert config("try/wider") == config(second.oid) == '{"hop": 320}'
    assert "notes of a run/loss #1.txt" not in anyone.list_repo_files("tester/made", revision="try/wider")
    assert Path(snapshot_download("tester/made", revision="try/wider", token=False)).name == second.oid
    # A branch that goes again takes nothing else with it.
    api.delete_branch("tester/made", branch="try/wider")
    raises(RevisionNotFoundError, anyone.model_info, "tester/made", revision="try/wider")
    assert config(second.oid) == '{"hop": 320}'


def works_offline():
    """What was pulled is there without a connection, in this process and in one with HF_HUB_OFFLINE=1."""
    folder = snapshot_download("tester/made", local_files_only=True)
    assert (Path(folder) / "model.safetensors").is_file()
    raises(LocalEntryNotFoundError, hf_hub_download, "tester/made", "absent", local_files_only=True)
    program = "import huggingface_hub as h; print(h.hf_hub_download('tester/made', 'model.safetensors'))"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == os.path.join(folder, "model.safetensors"), run


def keeps_a_private_repository_private():
    api.create_repo("tester/hidden", private=True)
    api.upload_file(path_or_fileobj=b"{}", path_in_repo="config.json", repo_id="tester/hidden")
    api.upload_file(path_or_fileobj=b"\0" * 4096, path_in_repo="model.safetensors", repo_id="tester/hidden")
    assert status(raises(RepositoryNotFoundError, anyone.model_info, "tester/hidden")) == 401
    raises(RepositoryNotFoundError, hf_hub_download, "tester/hidden", "config.json", token=False)
    raises(RepositoryNotFoundError, snapshot_download, "tester/hidden", token=False)
    assert api.model_info("tester/hidden").private is True
    assert Path(hf_hub_download("tester/hidden", "config.json", token=TOKEN)).read_text() == "{}"
    # The storage is another origin: the token stays at the hub, and the file comes all the same.
    assert Path(hf_hub_download("tester/hidden", "model.safetensors", token=TOKEN)).read_bytes() == b"\0" * 4096
    wrong = raises(HfHubHTTPError, HfApi(token="hf_wrong").model_info, "tester/made")
    assert status(wrong) == 401 and not isinstance(wrong, RepositoryNotFoundError)
    api.delete_repo("tester/hidden")
    assert status(raises(RepositoryNotFoundError, api.model_info, "tester/hidden")) == 404


def holds_data_sets(work):
    rows = bytes(range(256)) * 64
    api.create_repo("tester/speech", repo_type="dataset")
    api.upload_file(path_or_fileobj=rows, path_in_repo="clean/train-00000-of-00001.parquet", repo_id="tester/speech", repo_type="dataset")
    assert api.dataset_info("tester/speech").id == "tester/speech"
    folder = Path(snapshot_download("tester/speech", repo_type="dataset", cache_dir=work / "data", allow_patterns="clean/*", token=False))
    assert (folder / "clean/train-00000-of-00001.parquet").read_bytes() == rows
    raises(RepositoryNotFoundError, api.model_info, "tester/speech")


def refuses_as_the_hub_does():
    assert status(raises(RepositoryNotFoundError, anyone.model_info, "nobody/nothing")) == 401
    assert status(raises(RepositoryNotFoundError, api.model_info, "nobody/nothing")) == 404
    raises(RepositoryNotFoundError, hf_hub_download, "nobody/nothing", "config.json", token=False)
    assert status(raises(RevisionNotFoundError, hf_hub_download, "tester/made", "config.json", revision="v9", token=False)) == 404
    raises(RevisionNotFoundError, snapshot_download, "tester/made", revision="v9", token=False)
    assert status(raises(EntryNotFoundError, hf_hub_download, "tester/made", "absent.json", token=False)) == 404
    raises(EntryNotFoundError, lambda: list(anyone.list_repo_tree("tester/made", "absent")))

    assert api.model_info("tester/gated").gated == "manual"
    assert status(raises(GatedRepoError, hf_hub_download, "tester/gated", "config.json", token=False)) == 401
    assert status(raises(GatedRepoError, hf_hub_download, "tester/gated", "config.json", token=TOKEN)) == 403

    busy = raises(HfHubHTTPError, anyone.model_info, "tester/busy")
    assert status(busy) == 429 and busy.response.headers["Retry-After"] == "1"

    assert status(raises(HfHubHTTPError, api.create_repo, "others/mine")) == 403
    forbidden = raises(HfHubHTTPError, api.upload_file, path_or_fileobj=b"1", path_in_repo="a", repo_id="others/model")
    assert status(forbidden) == 403
    assert status(raises(HfHubHTTPError, anyone.upload_file, path_or_fileobj=b"1", path_in_repo="a", repo_id="tester/made")) == 401
    assert api.whoami()["name"] == "tester"
    raises(HfHubHTTPError, HfApi(token="hf_wrong").whoami)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        first = pushes_and_pulls(work)
        serves_ranges(work)
        suffers_the_faults(work)
        has_refs(first)
        works_offline()
        keeps_a_private_repository_private()
        holds_data_sets(work)
        refuses_as_the_hub_does()
    print(f"huggingface_hub {huggingface_hub.__version__}, xet off")
    print("ok")
