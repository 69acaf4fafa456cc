"""A training run on disk: one safetensors file whose header holds the rest as JSON; never pickle.

The file is replaced whole after each epoch, so that a kill at any time leaves the last one that was finished.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from encoders.training.loop import Epoch, Learner, Weights
from mappings.errors import DataError, RequestError

SCHEMA = "checkpoint-1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Keeps a run in `path`. `identity` is a digest of all that the run depends on: another run's file is refused."""

    path: Path
    identity: str

    def write(self, learner: Learner, epochs: Sequence[Epoch], best: Weights) -> None:
        """Networks, the best of them, optimisers, random states, the learner's own tensors, the epochs so far."""
        states = {phase: _parted(optimiser) for phase, optimiser in learner.optimisers.items()}
        tensors = {
            **_under("networks", learner.networks.state_dict()),
            **_under("best", best),
            **_under("kept", learner.kept()),
            **_under("random", _random(learner)),
            **{
                f"optimisers/{phase}/{name}": rows
                for phase, (found, _) in states.items()
                for name, rows in found.items()
            },
        }
        rest = {
            "schema": SCHEMA,
            "identity": self.identity,
            "epochs": [asdict(epoch) for epoch in epochs],
            "optimisers": {phase: plain for phase, (_, plain) in states.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.path.with_suffix(f".{os.getpid()}")
        # clones: networks may share weights, which safetensors refuses
        save_file({name: rows.detach().clone().contiguous() for name, rows in tensors.items()}, draft, _header(rest))
        with draft.open("rb+") as file:
            os.fsync(file.fileno())
        draft.replace(self.path)

    def read(self, learner: Learner) -> tuple[list[Epoch], Weights]:
        """Bring the learner to where it was. Nothing kept: no epochs.

        Raises RequestError where another run is kept there, DataError where the file is damaged.
        """
        if not self.path.is_file():
            return [], {}
        try:
            with safe_open(self.path, "pt") as file:
                rest = json.loads((file.metadata() or {})["state"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            raise DataError(f"{self.path} is no checkpoint: {error}; begin anew with --fresh") from error
        if (rest.get("schema"), rest.get("identity")) != (SCHEMA, self.identity):
            raise RequestError(
                f"{self.path} is of another run: other data, settings, device or versions; repeat that run's command, "
                "name another --out, or begin anew with --fresh"
            )
        learner.networks.load_state_dict(_of("networks", tensors))
        for phase, optimiser in learner.optimisers.items():
            _join(optimiser, _of(f"optimisers/{phase}", tensors), rest["optimisers"][phase])
        for name, rows in learner.kept().items():
            rows.copy_(tensors[f"kept/{name}"])
        _restore_random(learner, _of("random", tensors))
        best = {name: rows.to(learner.device) for name, rows in _of("best", tensors).items()}
        return [Epoch(**epoch) for epoch in rest["epochs"]], best


def _header(rest: Mapping[str, Any]) -> dict[str, str]:
    return {"state": json.dumps(rest)}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> Weights:
    return {f"{prefix}/{name}": rows for name, rows in tensors.items()}


def _of(prefix: str, tensors: Mapping[str, Tensor]) -> Weights:
    return {name.removeprefix(f"{prefix}/"): rows for name, rows in tensors.items() if name.startswith(f"{prefix}/")}


def _parted(optimiser: Optimizer) -> tuple[Weights, dict[str, Any]]:
    """An optimiser's state: its tensors as `<parameter>/<name>`, and the rest, which JSON can hold."""
    state = optimiser.state_dict()
    values = {f"{number}/{name}": value for number, own in state["state"].items() for name, value in own.items()}
    tensors = {place: value for place, value in values.items() if isinstance(value, Tensor)}
    plain = {place: value for place, value in values.items() if place not in tensors}
    return tensors, {"groups": state["param_groups"], "plain": plain}


def _join(optimiser: Optimizer, tensors: Weights, rest: Mapping[str, Any]) -> None:
    state: dict[int, dict[str, object]] = {}
    for place, value in {**tensors, **rest["plain"]}.items():
        number, _, name = place.partition("/")
        state.setdefault(int(number), {})[name] = value
    optimiser.load_state_dict({"state": state, "param_groups": rest["groups"]})


def _random(learner: Learner) -> Weights:
    states = {"learner": learner.random.get_state(), "torch": torch.get_rng_state()}
    return states | ({"device": torch.cuda.get_rng_state(learner.device)} if learner.device.type == "cuda" else {})


def _restore_random(learner: Learner, states: Weights) -> None:
    learner.random.set_state(states["learner"])
    torch.set_rng_state(states["torch"])
    if "device" in states:
        torch.cuda.set_rng_state(states["device"], learner.device)
