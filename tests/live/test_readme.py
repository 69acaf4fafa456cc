"""The search with curl alone, as the README prints it, against the live engine."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable

import numpy as np
import pytest

from integration.engine.client import Cluster
from integration.engine.services import Services
from mappings.code import HashCode
from mappings.fields import image_value, space_mapping
from mappings.scripts import scripts
from tests.documented import README


def code(flipped: int) -> HashCode:
    """128 bits at distance `flipped` from the code of the query, which is all zeros."""
    return HashCode(128, np.packbits(np.arange(128) < flipped).tobytes())


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, as the README's reader does")
def test_the_readme_searches_with_curl(services: Services, cluster: Cluster, index: Callable[..., str]) -> None:
    name = index({"mappings": {"properties": {"title": {"type": "text"}}}})
    cluster.request("PUT", f"/{name}/_mapping", body=space_mapping("tiny"))
    for script in scripts():
        cluster.request("PUT", f"/_scripts/{script.id}/{script.context}", body=script.body())
    for title, distance in {"sailing ship": 70, "sailing boat": 5, "red car": 4, "blue car": 90}.items():
        document = {"title": title, "crosshatch": {"tiny": {"image": [image_value(code(distance), 0)]}}}
        cluster.request("PUT", f"/{name}/_doc/{title}", params={"refresh": "true"}, body=document)
    block = re.search(r"^    curl -s \"http.*?^    \}'$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert block
    curl = block[0].replace("http://localhost:9200/biblios", f"{services.url.rstrip('/')}/{name}")
    command = f"SPACE=tiny; CODE={code(0).hex()}\n{curl}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    hits = json.loads(done.stdout)["hits"]["hits"]
    # red car: no words, .5 * (1 - 4/128); blue car: neither words nor 90 bits near enough
    assert [hit["_id"] for hit in hits] == ["sailing boat", "red car", "sailing ship"]
    assert hits[1]["_score"] == pytest.approx(0.484375)
