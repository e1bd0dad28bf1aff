"""Prompts that ask a model for queries, and what is read from its answer."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from babel import Locale, UnknownLocaleError

from lingmix.augmentation.requests import digest
from lingmix.errors import InputError

Message = dict[str, str]


class Prompt(NamedTuple):
    """How a query is asked for.

    `instruction` and `passage` are texts with {language} and {passage} in them, `fields` what the
    answer holds, by name with a description: the last is the query, those before it (a summary) are
    what the model says first. `examples` are passages with their fields, a list a language.
    """

    instruction: str
    passage: str
    fields: Mapping[str, str]
    examples: Mapping[str, Sequence[Mapping[str, str]]]

    @property
    def digest(self) -> str:
        """What the provenance of an item names it by."""
        return digest(self._asdict())[:12]

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of an answer."""
        return {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": text} for name, text in self.fields.items()
            },
            "required": [*self.fields],
            "additionalProperties": False,
        }

    def messages(self, passage: str, language: str, *, structured: bool) -> list[Message]:
        """Return the conversation: the instruction, the examples of the language, the passage."""
        name = language_name(language)
        asked = [_message("system", self.instruction.format(language=name))]
        for example in self.examples.get(language, ()):
            asked.append(self._ask(example["passage"], name))
            asked.append(_message("assistant", self._written(example, structured=structured)))
        return [*asked, self._ask(passage, name)]

    def _ask(self, passage: str, language: str) -> Message:
        return _message("user", self.passage.format(passage=passage, language=language))

    def _written(self, example: Mapping[str, str], *, structured: bool) -> str:
        answer = {name: example[name] for name in self.fields}
        if structured:
            return json.dumps(answer, ensure_ascii=False)
        if len(answer) == 1:
            return next(iter(answer.values()))
        return "\n".join(f"{name.capitalize()}: {text}" for name, text in answer.items())

    def read(self, text: str, *, structured: bool) -> str:
        """Return the query of an answer; raise ValueError, which says why, where it has none."""
        found = self._from_json(text) if structured else self._from_lines(text)
        query = " ".join(found.split())
        if not query:
            raise ValueError("the query is empty")
        return query

    def _from_json(self, text: str) -> str:
        begin, end = text.find("{"), text.rfind("}")  # some models write a fence around it
        try:
            answer = json.loads(text[begin : end + 1] if begin >= 0 else text)
        except ValueError:
            raise ValueError("the answer is not JSON") from None
        if not isinstance(answer, dict):
            raise ValueError("the answer is no JSON object")
        for name in self.fields:
            if not isinstance(answer.get(name), str):
                raise ValueError(f"the answer has no text {name!r}")
        return str(answer[[*self.fields][-1]])

    def _from_lines(self, text: str) -> str:
        label = [*self.fields][-1]
        labelled = re.findall(rf"^\W*{label}\W*:\s*(.*)$", text, re.IGNORECASE | re.MULTILINE)
        if labelled:
            return str(labelled[-1]).strip('"“”* ')
        if len(self.fields) > 1:
            raise ValueError(f"the answer has no line '{label.capitalize()}:'")
        return next(iter(text.strip().splitlines()), "").strip('"“”* ')

    def complaint(self, answer: str, reason: str, *, structured: bool) -> list[Message]:
        """Return what is added to a conversation after an answer that cannot be read."""
        form = ", ".join(f'"{name}"' for name in self.fields)
        rule = (
            f"Answer with one JSON object with the keys {form} and nothing else."
            if structured
            else "Answer in the form of the examples, and briefly."
        )
        return [
            _message("assistant", answer[:2000]),
            _message("user", f"This cannot be read: {reason}. {rule}"),
        ]


def language_name(language: str) -> str:
    """Return the English name of a language; raise InputError for one that is not known."""
    try:
        name = Locale.parse(language, sep="-" if "-" in language else "_").english_name
    except (ValueError, UnknownLocaleError) as error:
        raise InputError(f"languages: no name is known for {language!r}; write its code") from error
    return str(name)


def _message(role: str, text: str) -> Message:
    return {"role": role, "content": text}
