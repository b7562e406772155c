"""A table in files that were surveyed: what validator, encoder and run need to know of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from optibench.datasets.encoding import Encoder, category_codes, codes_of_classes, names_of
from optibench.datasets.in_blocks import FilesTable
from optibench.errors import DataError
from optibench.records import Dataset, Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optibench.datasets.facts import SeenColumn
    from optibench.records import ColumnKind
    from optibench.strategies.data_parallel.parts import PartFacts
    from optibench.strategies.data_parallel.survey import SurveyRequest, SurveyResult


@dataclass(frozen=True, eq=False)
class SurveyedFiles:
    """What the driver knows of a table that it has not read.

    Attributes:
        question: what was looked for.
        seen: in all blocks.
    """

    request: SurveyRequest
    seen: SurveyResult

    @classmethod
    def of(cls, request: SurveyRequest, seen: SurveyResult) -> SurveyedFiles:
        """Combine request and result.

        Raises:
            DataError: the files cannot be read.
        """
        if seen.refusal is not None:
            raise DataError(seen.refusal)
        if not seen.n_rows:
            msg = f"{request.files.roles.source}: the table has no rows, only column names."
            raise DataError(msg)
        return cls(request, seen)

    @cached_property
    def columns(self) -> Mapping[str, SeenColumn]:
        """What each column holds, its labels interpreted."""
        interpreted = {
            name: self.seen.columns[name].meaning(kind, values)
            for name, (kind, values) in self._meanings.items()
        }
        return {**self.seen.columns, **interpreted}

    @cached_property
    def table(self) -> FilesTable:
        """The table to share with workers; valid once the columns have passed the validator."""
        request, roles = self.request, self.request.files.roles
        codes = {name: self._categories[name][0] for name in roles.categorical}
        classes = self._classes[0] if request.task is Task.CLASSIFICATION else None
        encoder = Encoder(tuple(roles.features), codes, request.target, classes)
        return FilesTable(request.files, self.seen.blocks, encoder)

    @property
    def parts(self) -> Mapping[int, PartFacts]:
        """Facts of each part, with classes as their codes."""
        return {
            part: facts.with_codes(self._classes[0]) for part, facts in self.seen.parts.items()
        }

    def dataset(self, rows: int) -> Dataset:
        """Return the first rows, encoded, with the facts of the whole table."""
        table, roles = self.table, self.request.files.roles
        categories = {name: labels for name, (_, labels) in self._categories.items()}
        classes = self._classes[1]
        head = next(table.read(table.blocks[0])).X[:rows].copy()
        return Dataset(
            name=roles.name,
            X=head,
            y=None,
            feature_names=tuple(roles.features),
            classes=classes,
            categories=categories,
            source=roles.source,
            digest=self._digest(names_of(roles.features, classes, categories)),
            target=self.request.target,
            whole=self.seen.n_rows,
        )

    def _digest(self, names: Mapping[str, Any]) -> str:
        """Return SHA-256 over names, labels and digests of the values, in row order."""
        digest = hashlib.sha256(json.dumps(names, default=str, sort_keys=True).encode())
        for piece in self.seen.digests:
            digest.update(piece)
        return digest.hexdigest()

    @cached_property
    def _meanings(self) -> dict[str, tuple[ColumnKind, list[Any]]]:
        """For each column of labels its kind and the values of its labels."""
        columns, files = self.seen.columns, self.request.files
        return {
            name: files.interpret(columns[name].kind, list(columns[name].labels))
            for name in self.request.labels
        }

    @cached_property
    def _categories(self) -> dict[str, tuple[dict[Any, int], tuple[str, ...]]]:
        """For each categorical feature the codes of the values in the file, and the labels."""
        return {
            name: category_codes(self._meanings[name][1], self.seen.columns[name].labels)
            for name in self.request.files.roles.categorical
        }

    @cached_property
    def _classes(self) -> tuple[dict[Any, int], tuple[Any, ...]]:
        """The codes of the values in the file, and the classes."""
        name = self.request.target
        if name is None or self.request.task is not Task.CLASSIFICATION:
            return {}, ()
        kind, values = self._meanings[name]
        return codes_of_classes(values, kind, self.seen.columns[name].labels)
