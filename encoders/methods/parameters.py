"""A method with parameters that came as words: `configured("ucch", 64, seed=0, settings=["epochs=40"])`."""

from collections.abc import Sequence
from dataclasses import MISSING, fields

from encoders.methods import named
from encoders.methods.method import Method
from mappings.errors import RequestError


def configured(name: str, bits: int, *, seed: int, settings: Sequence[str]) -> Method:
    """The method `name`, not fitted yet; each of `settings` is PARAMETER=VALUE.

    Raises RequestError, which lists the methods or the parameters, and CodeLengthError for other lengths.
    """
    kind = named(name)
    defaults = {part.name: part.default for part in fields(kind) if part.init and part.default is not MISSING}
    del defaults["seed"]
    values: dict[str, object] = {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in defaults:
            known = ", ".join(f"{part}={default}" for part, default in defaults.items()) or "none"
            raise RequestError(f"{name} has no parameter {key!r}; there are, with their defaults: {known}")
        values[key] = _read(key, value, type(defaults[key]))
    return kind(bits, seed=seed, **values)


def _read(key: str, value: str, kind: type) -> object:
    try:
        return kind(value)
    except ValueError:
        raise RequestError(f"{key} is {value!r}; expected a number, {kind.__name__}") from None
