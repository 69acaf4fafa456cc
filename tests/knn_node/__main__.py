"""Write `artifacts.lock` anew."""

from tests.knn_node.layout import LOCK, lock

rows = (f"{one.place} {one.jar.coordinate} {one.jar.sha256} {one.jar.size}\n" for one in lock())
LOCK.write_text("".join(rows), encoding="utf-8")
