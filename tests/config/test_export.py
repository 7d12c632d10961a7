"""What an export can be told, as far as keys go with each other."""

import pytest

from sda.config.export import LONGEST_REGISTERED, ExportConfig, ExportFormat
from sda.errors import ConfigError

MLFLOW = ExportFormat.mlflow


@pytest.mark.parametrize("name", ["rain", "Rain v1.2 (night)", "équipe@été", "x" * LONGEST_REGISTERED])
def test_a_model_is_registered_by_a_name(name):
    assert ExportConfig("last", MLFLOW, register=name).register == name


@pytest.mark.parametrize(
    "name", ["a/b", "a:b", " ", " rain", ".", "..", "a\nb", "a\x1b[2J", "x" * (LONGEST_REGISTERED + 1)]
)
def test_what_mlflow_takes_for_no_name_is_refused(name):
    with pytest.raises(ConfigError, match="is no name for a registered model: give 250 characters at most, without /"):
        ExportConfig("last", MLFLOW, register=name)


@pytest.mark.parametrize("form", [form for form in ExportFormat if form is not MLFLOW])
def test_other_formats_are_registered_nowhere(form):
    for key in ("register", "registry_uri"):
        with pytest.raises(
            ConfigError, match=f"^{key}=rain goes with format=mlflow: MLflow keeps no format={form.name}"
        ):
            ExportConfig("last", form, **{key: "rain"})


def test_a_store_without_a_name_registers_nothing():
    with pytest.raises(ConfigError, match=r"^registry_uri=sqlite:///a\.db registers nothing .*: give register=NAME\.$"):
        ExportConfig("last", MLFLOW, registry_uri="sqlite:///a.db")
