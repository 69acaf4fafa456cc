"""Hashing methods on features that are extracted already, by name: `named("cca")(64).fit(images, texts)`.

One method a module, with its paper and equations; all are published but `contrastive`, which is our own. Only the
modules of those that the training loop fits load torch: UCCH and `contrastive`.
"""

import importlib
from typing import TYPE_CHECKING, cast

from mappings.errors import RequestError

if TYPE_CHECKING:
    from encoders.methods.method import Method

METHODS = {
    "lsh": "lsh.Lsh",
    "cca": "cca.Cca",
    "itq": "itq.Itq",
    "cca-itq": "itq.CcaItq",
    "cmfh": "cmfh.Cmfh",
    "scm-orth": "scm.ScmOrthogonal",
    "scm-seq": "scm.ScmSequential",
    "stmh": "stmh.Stmh",
    "seph-km": "seph.Seph",
    "ucch": "ucch.Ucch",
    "contrastive": "contrastive.Contrastive",
}
PUBLISHED = tuple(name for name in METHODS if name != "contrastive")


def named(name: str) -> "type[Method]":
    """The class of the method `name`. Raises RequestError, whose text lists every known name."""
    if name not in METHODS:
        raise RequestError(f"no method {name!r}; there are: {', '.join(METHODS)}")
    module, _, kind = METHODS[name].partition(".")
    return cast("type[Method]", getattr(importlib.import_module(f"encoders.methods.{module}"), kind))
