"""Queries that a language model writes for passages."""

from collections.abc import Sequence
from typing import NamedTuple

from lingmix.augmentation.drafts import Bench, Draft, Outcome, Rejected, required
from lingmix.augmentation.filters import copied_run
from lingmix.augmentation.prompts import Message, Prompt
from lingmix.augmentation.requests import Answer, Answers, Request
from lingmix.ranges import Count

MOST_REPEATED = 0.6
"""Of a query that may stand in what the model was told, in one run: two questions of one pattern
(why does milk not go bad) share less."""


class _Asked(NamedTuple):
    draft: int
    language: str
    messages: list[Message]


class ModelQueries:
    """Asks a model for a query in each of `languages` (None: in those of the passages).

    A passage in the query's language is shown if there is one, else the first that the draft has.
    An answer that cannot be read, or that repeats an example, is sent back once with the reason.
    """

    def __init__(
        self,
        *,
        languages: list[str] | None,
        most_characters: Count,
        instruction: str,
        passage: str,
        fields: dict[str, str],
        examples: dict[str, list[dict[str, str]]],
    ) -> None:
        self._languages = languages
        self._most = most_characters
        self._prompt = Prompt(instruction, passage, fields, examples)

    def asked(self, drafts: Sequence[Draft], answers: Answers) -> list[Request]:
        """Return the requests that are sent first, for an estimate of what they cost."""
        return [
            self._request(one.messages, answers) for one in self._conversations(drafts, answers)
        ]

    def __call__(self, drafts: Sequence[Draft], bench: Bench) -> Outcome:
        answers = required(bench.answers, "backend", "a model: backend=endpoint or backend=local")
        made, rejected = [*drafts], []
        asked = self._conversations(drafts, answers)
        found = answers([self._request(one.messages, answers) for one in asked])
        read = [
            self._read(answer, answers, one.messages[:-1])
            for one, answer in zip(asked, found, strict=True)
        ]
        again = [
            number
            for number, (_, reason) in enumerate(read)
            if reason and (found[number].text or not found[number].failure)
        ]
        complaints = [self._complaint(found[number], read[number][1], answers) for number in again]
        repairs = [
            self._request([*asked[number].messages, *complaint], answers)
            for number, complaint in zip(again, complaints, strict=True)
        ]
        for number, complaint, answer in zip(again, complaints, answers(repairs), strict=True):
            said = [*asked[number].messages[:-1], complaint[-1]]
            read[number] = self._read(answer, answers, said)
        for one, (query, reason) in zip(asked, read, strict=True):
            if reason:
                kind, _, detail = reason.partition(": ")
                rejected.append(Rejected(drafts[one.draft].id, one.language, "", kind, detail))
            else:
                made[one.draft] = made[one.draft].with_queries(one.language, [query])
        note = {"model": answers.name, "prompt": self._prompt.digest}
        return Outcome(made, rejected, note)

    def _conversations(self, drafts: Sequence[Draft], answers: Answers) -> list[_Asked]:
        asked = []
        for number, draft in enumerate(drafts):
            for language in self._languages or draft.passages:
                texts = draft.passages.get(language) or next(iter(draft.passages.values()))
                shown = texts[0][: self._most]
                messages = self._prompt.messages(shown, language, structured=answers.structured)
                asked.append(_Asked(number, language, messages))
        return asked

    def _request(self, messages: Sequence[Message], answers: Answers) -> Request:
        return answers.request(messages, self._prompt.schema() if answers.structured else None)

    def _read(self, answer: Answer, answers: Answers, said: Sequence[Message]) -> tuple[str, str]:
        """The query, or the reason why there is none; `said` is what the model was told besides the
        passage, which very small models repeat."""
        if answer.failure:
            return "", answer.failure
        try:
            query = self._prompt.read(answer.text, structured=answers.structured)
        except ValueError as error:
            return "", f"cannot be read: {error}"
        if copied_run(query, (one["content"] for one in said), most_share=MOST_REPEATED):
            return "", "repeats its prompt"
        return query, ""

    def _complaint(self, answer: Answer, reason: str, answers: Answers) -> list[Message]:
        return self._prompt.complaint(answer.text, reason, structured=answers.structured)
