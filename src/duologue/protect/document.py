"""A YAML file of strangers: bounded, without aliases, then read as strictly as a recipe."""

from __future__ import annotations

from pathlib import Path

import yaml

from duologue.corpus.table import read_table
from duologue.errors import UserError
from duologue.generate.document import Document

# PyYAML reads about 100 kB a second; a thousand resources take as much.
LARGEST = 512 * 2**10
_DEEPEST = 12


def read_document(path: Path) -> Document:
    """The document; UserError names the line of what is no plain YAML: anchors, aliases, depth, keys said twice."""
    return parse_document(read_table(path, LARGEST), str(path))


def parse_document(text: str, name: str) -> Document:
    """As :func:`read_document`, of a text that is at hand."""
    depth = 0
    try:
        for token in yaml.scan(text, yaml.SafeLoader):
            line = f"{name}:{token.start_mark.line + 1}"
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken):
                raise UserError("anchors and aliases are not read", where=line, mend="write it out")
            if isinstance(token, yaml.TagToken):
                raise UserError("tags are not read", where=line, mend="leave it out")
            opened = (
                yaml.BlockMappingStartToken,
                yaml.BlockSequenceStartToken,
                yaml.FlowMappingStartToken,
                yaml.FlowSequenceStartToken,
            )
            closed = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)
            depth += isinstance(token, opened) - isinstance(token, closed)
            if depth > _DEEPEST:
                raise UserError("nested too deeply", where=line, allowed=f"{_DEEPEST} levels")
        return Document.parse(text, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise UserError(
            f"is not valid YAML: {error.problem}", where=f"{name}:{mark.line + 1}" if mark else name
        ) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        # A date or number that is none, a character that YAML does not admit.
        raise UserError(f"is not valid YAML: {str(error)[:100]}", where=name) from None
