import dataclasses
import tomllib

import pytest

from finsae.checks import DataError
from finsae.config import PRESETS, Group, Run, build, read_run


def test_the_preset_is_the_default_run():
    assert read_run("demo") == Run(group=Group("demo-group"))


def test_a_file_sets_what_it_names_and_keeps_the_rest(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('seed = 7\n[data]\ncut = "2015-12-31"\n[backtest]\ncost_bps = 25\n')
    run = read_run(path)
    assert run.seed == 7 and run.data.cut == "2015-12-31"
    assert run.backtest.cost_bps == 25.0 and isinstance(run.backtest.cost_bps, float)
    assert run.benchmark == Run().benchmark


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"sede": 1}, 'unknown key "sede"; did you mean "seed"'),
        (
            {"backtest": {"cost_bp": 1}},
            r'\[backtest\]: unknown key "cost_bp"; did you mean "cost_bps"',
        ),
        ({"seed": "one"}, "seed = 'one' should be int"),
        ({"reading": {"idf": 1}}, "idf = 1 should be bool"),
        ({"data": {"cut": 2013}}, "cut = 2013 should be text"),
        ({"seed": True}, "seed = True should be int"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_place(content, message):
    with pytest.raises(DataError, match=message):
        build(Run, content, where="run.toml")


def test_all_problems_of_a_table_are_shown_at_once():
    with pytest.raises(DataError) as caught:
        build(Run, {"sede": 1, "seeed": 2}, where="run.toml")
    assert len(caught.value.problems) == 2


def test_a_missing_file_and_a_broken_one(tmp_path):
    with pytest.raises(DataError, match='did you mean "demo"'):
        read_run("demos")
    broken = tmp_path / "broken.toml"
    broken.write_text("seed = = 1")
    with pytest.raises(DataError, match="is not TOML"):
        read_run(broken)
    broken.write_text("x = " + 5_000 * "[")
    with pytest.raises(DataError, match="is not TOML"):
        read_run(broken)


def test_a_run_cannot_be_altered():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Run().seed = 3  # type: ignore[misc]


def test_all_problems_of_all_tables_are_said_at_once(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("sed = 1\n[benchmrk]\nk = 2\n[data]\ncuts = 'x'\n[backtest]\ncost = 5\n")
    with pytest.raises(DataError) as found:
        read_run(path)
    assert len(found.value.problems) == 4


def test_the_preset_names_every_setting_of_trade():
    """A user finds in it what can be set; the defaults are what the preset says."""
    with (PRESETS / "demo.toml").open("rb") as file:
        written = tomllib.load(file)["backtest"]
    later = {"max_days", "per_share", "gross_cap", "net_cap", "patience", "delisting_loss"}
    later |= {"min_half_life", "max_half_life", "max_hurst", "min_crossings", "min_volume"}
    assert later <= set(written)
