"""Where files of a run may come from, and where they may go."""

import pytest

from sda.errors import TrackingError
from sda.tracking.artifacts import find_file, locate, open_place

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own imports and its database library warn of themselves

SERVER = "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    "place", ["mlflow-artifacts:/1/abc/artifacts", "mlflow-artifacts://127.0.0.1:5000/1/abc", "s3://bucket/1/abc"]
)
def test_a_server_keeps_files_itself_or_in_an_object_store(place):
    assert callable(open_place(place, SERVER))


@pytest.mark.parametrize(
    "place",
    [
        *("file:///home/ada/.venv", "/home/ada/.venv", "relative", "FILE:///x", "file://host/x", "", "C:/Users/ada"),
        *("runs:/0123", "models:/m-0123", "dbfs:/x", "hdfs://host/x"),  # MLflow would ask again where these are
        *(
            "http://127.0.0.1:9/x",
            "https://store/1",
            "mlflow-artifacts://127.0.0.1:9/1",
            "ftp://host/x",
            "sftp://host/x",
        ),
    ],
)
def test_a_server_chooses_no_folder_of_this_machine_and_no_other_server(place):
    with pytest.raises(TrackingError, match="would have files sent"):
        open_place(place, SERVER)


def test_an_embedded_store_keeps_files_in_its_own_folder(tmp_path):
    store = f"sqlite:///{tmp_path}/mlflow.db"
    open_place((tmp_path / "mlartifacts" / "a b").as_uri(), store)
    open_place(str(tmp_path / "mlartifacts"), store)
    (tmp_path / "link").symlink_to(tmp_path.parent)
    for place in (
        *("http://127.0.0.1:1/x", "s3://bucket/x", "file://host/x", (tmp_path.parent / "x").as_uri()),
        *(f"{tmp_path}/../x", f"{tmp_path.as_uri()}/%2e%2e/x", str(tmp_path / "link" / "x")),
    ):
        with pytest.raises(TrackingError, match="outside its own folder"):
            open_place(place, store)


def test_a_file_is_found_inside_the_run_alone(tmp_path):
    run_dir = tmp_path / "run"
    (run_dir / "inner").mkdir(parents=True)
    (run_dir / "inner" / "a.wav").touch()
    (tmp_path / "b.wav").touch()
    (run_dir / "c.wav").symlink_to(tmp_path / "b.wav")
    assert locate(run_dir, str(run_dir / "inner" / "a.wav")) == "inner/a.wav"
    assert locate(run_dir, str(tmp_path / "b.wav")) == ""
    assert find_file(run_dir, "inner/a.wav") == run_dir / "inner" / "a.wav"
    for relative in ("../b.wav", str(tmp_path / "b.wav"), "c.wav", "inner", "gone.wav"):
        assert find_file(run_dir, relative) is None, relative


def test_a_run_that_is_reached_through_a_link_is_the_same_run(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.wav").touch()
    (tmp_path / "link").symlink_to(tmp_path / "run")
    assert locate(tmp_path / "link", str(tmp_path / "run" / "a.wav")) == "a.wav"
