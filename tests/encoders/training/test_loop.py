"""The loop: what it asks of a learner and when, when it ends, and that a killed run goes on as if nothing had been."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from encoders.training.checkpoint import Checkpoint
from encoders.training.loop import Epoch, Plan, batches, train
from mappings.errors import DataError, RequestError
from tests.encoders.training.learners import Small

PLAN = Plan(epochs=5, batch=8, seed=1)


class Killed(Exception):
    """The process ends here."""


def weights(learner: Small) -> list[float]:
    return [float(value) for rows in learner.networks.state_dict().values() for value in rows.flatten()]


def test_phases_take_turns_by_epoch() -> None:
    learner = Small()
    train(learner, Plan(epochs=2, batch=8))
    once = ["first 8", "first 8", "second 8", "second 8"]
    assert learner.seen == ["epoch 1", *once, "epoch 2", *once]


def test_phases_take_turns_by_batch() -> None:
    learner = Small()
    learner.turns = "batch"
    train(learner, Plan(epochs=1, batch=8))
    assert learner.seen == ["epoch 1", "first 8", "second 8", "first 8", "second 8"]


def test_the_loss_falls_and_its_parts_are_told_by_phase() -> None:
    learner = Small(dropout=0.0)
    before = learner.error()
    epochs = train(learner, Plan(epochs=30, batch=4))
    assert learner.error() < before / 10
    assert [epoch.number for epoch in epochs] == list(range(1, 31))
    assert list(epochs[0].losses) == ["first fit", "first near", "second fit", "second near"]
    assert epochs[-1].loss == sum(epochs[-1].losses.values()) < epochs[0].loss / 5


def test_it_ends_by_the_best_score_and_takes_its_weights() -> None:
    learner, found = Small(), []

    def score() -> float:
        found.append(weights(learner))
        return [0.1, 0.5, 0.5, 0.2][len(found) - 1]

    epochs = train(learner, Plan(epochs=9, batch=8, patience=2), score=score)
    assert [epoch.score for epoch in epochs] == [0.1, 0.5, 0.5, 0.2]
    assert weights(learner) == found[1]


def test_no_patience_means_all_epochs() -> None:
    assert len(train(Small(), Plan(epochs=9, batch=8, patience=0), score=lambda: 0.0)) == 9


def test_random_numbers_of_others_are_left_alone() -> None:
    learner = Small()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(learner, PLAN)
    assert (torch.rand(3) == expected).all()


def test_dropout_begins_at_the_seed() -> None:
    torch.manual_seed(1)
    train(first := Small(), PLAN)
    torch.manual_seed(2)  # what others draw from
    train(second := Small(), PLAN)
    assert weights(first) == weights(second)
    train(other := Small(), Plan(epochs=5, batch=8, seed=2))
    assert weights(other) != weights(first)


def test_bfloat16_comes_near() -> None:
    train(whole := Small(dropout=0.0), PLAN)
    train(half := Small(dropout=0.0), Plan(epochs=5, batch=8, seed=1, half=True))
    assert weights(half) == pytest.approx(weights(whole), abs=0.02)
    assert weights(half) != weights(whole)


def test_a_loss_that_is_no_number_is_an_error() -> None:
    learner = Small()
    learner.optimisers["first"].param_groups[0]["lr"] = float("inf")
    with pytest.raises(DataError, match=r"the loss part 'first fit' is (nan|inf) in epoch 1; lower the rate"):
        train(learner, PLAN)


@pytest.mark.parametrize("killed_after", [1, 2, 4])
def test_a_killed_run_goes_on_and_ends_the_same(killed_after: int, tmp_path: Path) -> None:
    scores = [0.3, 0.1, 0.2, 0.1, 0.0]

    def run(learner: Small, keeper: Checkpoint | None, dies: int) -> list[Epoch]:
        def report(epochs: Sequence[Epoch]) -> None:
            if len(epochs) == dies:
                raise Killed

        asked = iter(scores[0 if dies or keeper is None else killed_after :])
        return train(learner, PLAN, score=lambda: next(asked), keeper=keeper, report=report)

    straight = run(whole := Small(), None, 0)
    keeper = Checkpoint(tmp_path / "run" / "checkpoint.safetensors", "a")
    with pytest.raises(Killed):
        run(Small(), keeper, killed_after)
    resumed = run(again := Small(), keeper, 0)
    assert weights(again) == weights(whole)
    assert [(e.number, e.losses, e.score) for e in resumed] == [(e.number, e.losses, e.score) for e in straight]
    assert (again.kept()["memory"] == whole.kept()["memory"]).all()
    assert len(again.seen) < len(whole.seen)  # it did not begin anew


def test_a_run_that_was_done_trains_no_more(tmp_path: Path) -> None:
    keeper = Checkpoint(tmp_path / "checkpoint.safetensors", "a")
    train(whole := Small(), PLAN, keeper=keeper)
    train(again := Small(), PLAN, keeper=keeper)
    assert again.seen == []
    assert weights(again) == weights(whole)


def test_the_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    train(Small(), PLAN, keeper=Checkpoint(path, "a"))
    with pytest.raises(RequestError, match=r"checkpoint.safetensors is of another run: .+ or begin anew with --fresh"):
        train(Small(), PLAN, keeper=Checkpoint(path, "b"))


@pytest.mark.parametrize("content", [b"", b"no safetensors", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_damaged_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"checkpoint.safetensors is no checkpoint: .+; begin anew with --fresh"):
        train(Small(), PLAN, keeper=Checkpoint(path, "a"))


def test_batches_are_a_permutation_in_full_batches() -> None:
    random = torch.Generator().manual_seed(0)
    found = list(batches(10, 4, random))
    assert [len(rows) for rows in found] == [4, 4]
    assert len(set(torch.cat(found).tolist())) == 8
    assert [len(rows) for rows in batches(3, 4, random)] == [3]
