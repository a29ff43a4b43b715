"""Variants: other forms of the same character, as simplified or Japanese writing has them.

Who writes 国 means 國, and the labels of real images say so: such a form is no `isnull`.
"""

from collections import defaultdict
from collections.abc import Sequence

from opencc import OpenCC

# From a traditional form to those of mainland China, Japan, Hong Kong and Taiwan.
CONVERSIONS = ("t2s", "t2jp", "t2hk", "t2tw")


def variants(labels: Sequence[str]) -> dict[str, frozenset[str]]:
    """Every form outside the labels and the labels that it may stand for: 国 for 國."""
    converters = [OpenCC(name) for name in CONVERSIONS]
    parents: dict[str, set[str]] = defaultdict(set)
    for label in labels:
        for converter in converters:
            parents[converter.convert(label)].add(label)
    return {form: frozenset(parents[form]) for form in parents.keys() - set(labels)}
