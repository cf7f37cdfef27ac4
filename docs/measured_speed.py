"""Tables of speed, made of `benchmarks/results/*.json`: see `measured_tables`."""

from __future__ import annotations

from measured import figure, results, table


def followers() -> str:
    """Planes whose rows follow from one another, beside those with products alone."""
    rows = []
    for row in results("followers")["cases"]:
        spent = row["seconds"]
        times = [f"{figure(spent[name])} s" for name in ("dense products", "products alone", "topology")]
        ratios = [figure(row[name]) for name in ("topology / dense products", "products alone / topology")]
        rows.append([row["case"], f"{row['cells']:,}", *times, *ratios])
    head = ["net", "cells", "dense products", "`topology`, products alone", "`topology`", "over the products", "gain"]
    return table(head, rows)


def real_networks() -> str:
    """Planes of real networks, part by part, beside torch's own forward pass."""
    parts = ("seconds", "evaluation", "splitting", "certificate", "forward pass", "total / forward pass")
    return table(
        ["network", "cells", "all, s", "evaluation", "cutting", "certificate", "torch's pass", "all / torch's pass"],
        [[row["case"], f"{row['cells']:,}", *(figure(row[part]) for part in parts)] for row in results("real")],  # type: ignore[call-overload]
    )


def reference_planes() -> str:
    """Planes of MLPs beside their products, a forward pass and two other programs."""
    rows = []
    for row in results("planes"):
        times = row["seconds"]
        million = row["cells"] / times["topology"] / 1e6
        rows.append(
            [row["case"], f"{row['cells']:,}"]
            + [f"{figure(1e3 * times[name])} ms" for name in ("products", "topology", "values", "proof")]
            + [f"{figure(million)} M", figure(row["topology / products"])]
            + [f"{figure(1e3 * row['regioncam']['seconds'])} ms", figure(row["x regioncam (values)"])]
            + [figure(row["relucent"]["cells"] / row["relucent"]["seconds"])]
        )
    head = ["net", "cells", "products", "`topology`", "`values`", "`proof`", "cells/s", "`topology` / products"]
    return table([*head, "regioncam 0.5.2 (float32)", "times faster (`values`)", "relucent 1.0, cells/s"], rows)


def before_and_after() -> str:
    """Processor seconds and peak memory here and in an earlier checkout."""
    rows = []
    for row in results("before"):
        before, after = row["before"], row["after"]
        rows.append(
            [row["case"], f"{after['pieces']:,}", f"`{row['verify']}`"]
            + [f"{figure(one['seconds'])} s, {figure(one['peak GB'])} GB" for one in (before, after)]
            + [figure(row["ratio"])]
        )
    return table(["case", "pieces", "certificate", "before", "now", "now / before"], rows)
