"""CI runs every test that is marked."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_ci_runs_all_tests_of_every_marker_that_the_usual_command_leaves_out():
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]
    markers = {marker.partition(":")[0] for marker in options["markers"]}
    left_out = set(re.findall(r"not (\w+)", options["addopts"]))
    whole_runs = re.findall(r"pytest\b[^\n]* -m (\w+)([^\n]*)", (ROOT / ".ci" / "run").read_text())
    assert markers == left_out
    assert {marker for marker, rest in whole_runs if "tests" not in rest} == left_out
