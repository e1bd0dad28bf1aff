"""The settings of an export: their types, their ranges, and which may be null."""

from typing import Annotated, Literal

from lingmix.cli.analysis_settings import Place
from lingmix.cli.networks import Text
from lingmix.cli.schema import Rule, Settings
from lingmix.ranges import Count, NotNegative


class ExportKeys(Settings):
    run: Annotated[Text, Rule("the id of a recorded run, or best")]
    of_sweep: Text | None
    metric: Annotated[Text, Rule("a score such as multilingual/map")]
    folder: Place | None
    forms: list[Literal["onnx", "onnx_int8", "openvino"]]
    dimensions: Count | None
    vocabulary: Literal["used", "restored"] | None
    limit: NotNegative
    license: Text | None
    data_licenses: dict[str, Text] | None
    register_as: Text | None
    push: Text | None
    private: bool
    dry_run: bool
