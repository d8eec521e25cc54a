"""Many texts of which each distinct one is kept once, so that a million rows cost little more than their values."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # loaded where it is used: what only looks at a study file needs no data frames
    import pandas as pd

T = TypeVar("T")


#: What shows nothing and comes along when a text is copied: marks of byte order and of width zero.
_UNSEEN = "\ufeff\u200b\u2060"
_AROUND = re.compile(rf"^[\s{_UNSEEN}]+|[\s{_UNSEEN}]+$")


def clean(text: str) -> str:
    """``text`` without blanks and unseen marks around it and in one Unicode form, so that equal names are equal."""
    return text.strip() if text.isascii() else _AROUND.sub("", unicodedata.normalize("NFC", text)).strip()


@dataclass(frozen=True, slots=True)
class Texts:
    """n clean texts as codes into their distinct words; an empty text is a cell with nothing in it.

    Attributes
    ----------
    codes : int32 array, shape (n,)
    words : object array of str, shape (k,)
        Distinct and clean; a word need not occur.
    """

    codes: NDArray[np.int32]
    words: NDArray[np.object_]

    @classmethod
    def of(cls, values: Iterable[str]) -> "Texts":
        """The texts ``values``, made clean."""
        import pandas as pd

        codes, words = pd.factorize(objects(values))
        return cls.coded(codes.astype(np.int32), [str(word) for word in words])

    @classmethod
    def coded(cls, codes: NDArray[np.int32], words: Sequence[str]) -> "Texts":
        """Texts from codes and words that may not be clean or distinct yet."""
        tidy = [clean(word) for word in words]
        places = {word: place for place, word in reversed(list(enumerate(tidy)))}
        if len(places) == len(tidy):
            return cls(codes, objects(tidy))
        distinct = sorted(places, key=places.__getitem__)
        new = {word: place for place, word in enumerate(distinct)}
        return cls(np.array([new[word] for word in tidy], dtype=np.int32)[codes], objects(distinct))

    @classmethod
    def constant(cls, word: str, n: int) -> "Texts":
        """``word``, n times."""
        return cls(np.zeros(n, dtype=np.int32), objects([word]))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, place: int) -> str:
        return str(self.words[self.codes[place]])

    def take(self, keep: NDArray[np.bool_] | NDArray[np.intp] | slice) -> "Texts":
        """The texts at the places ``keep``."""
        return Texts(self.codes[keep], self.words)

    def repeated(self, times: int) -> "Texts":
        """Each text ``times`` times."""
        return Texts(np.repeat(self.codes, times), self.words)

    def spread(self) -> NDArray[np.object_]:
        """The texts themselves, shape (n,)."""
        return self.words[self.codes] if len(self.words) else objects([])

    def occurring(self) -> NDArray[np.bool_]:
        """Which of the words occur, shape (k,)."""
        return np.bincount(self.codes, minlength=len(self.words)) > 0

    def present(self) -> list[str]:
        """The words that occur."""
        return list(self.words[self.occurring()])

    def where(self, holds: Callable[[str], bool]) -> NDArray[np.bool_]:
        """For which texts ``holds`` is true, shape (n,)."""
        return np.asarray(self.from_words([holds(word) for word in self.words], bool), dtype=bool)

    def from_words(self, values: Sequence[T], dtype: type | str) -> NDArray[np.generic]:
        """Spread ``values``, one a word, over the texts, shape (n,)."""
        of_word = np.array(values, dtype=dtype)
        return of_word[self.codes] if len(of_word) else np.empty(0, dtype=dtype)

    def replaced(self, change: Callable[[str], str]) -> "Texts":
        """The texts after ``change``."""
        return Texts.coded(self.codes, [change(word) for word in self.words])

    @property
    def empty(self) -> NDArray[np.bool_]:
        """Which cells hold nothing, shape (n,)."""
        at = np.flatnonzero(self.words == "")
        return self.codes == at[0] if len(at) else np.zeros(len(self), dtype=bool)

    def categorical(self) -> "pd.Categorical":
        """The texts as a pandas categorical whose categories are in alphabetical order."""
        present = np.flatnonzero(self.occurring())
        order = (
            present[np.argsort(self.words[present].astype(str), kind="stable")] if len(present) else present
        )
        rank = np.full(len(self.words), -1, dtype=np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        codes = rank[self.codes] if len(rank) else self.codes
        import pandas as pd

        return pd.Categorical.from_codes(codes, categories=pd.Index(self.words[order], dtype=object))


def joined(parts: Sequence[Texts]) -> Texts:
    """Texts one after the other."""
    if len(parts) == 1:
        return parts[0]
    words: dict[str, int] = {}
    codes = []
    for part in parts:
        new = np.array([words.setdefault(word, len(words)) for word in part.words], dtype=np.int32)
        codes.append(new[part.codes] if len(new) else part.codes)
    return Texts(np.concatenate(codes), objects(words))


def paired(first: Texts, second: Texts, between: str) -> Texts:
    """Each text of ``first`` with the one beside it in ``second``."""
    both = first.codes.astype(np.int64) * max(len(second.words), 1) + second.codes
    import pandas as pd

    codes, pairs = pd.factorize(both)
    k = max(len(second.words), 1)
    words = [f"{first.words[pair // k]}{between}{second.words[pair % k]}" for pair in pairs]
    return Texts.coded(codes.astype(np.int32), words)


def objects(values: Iterable[str]) -> NDArray[np.object_]:
    """An object array of shape (n,) of the texts ``values``."""
    listed = list(values)
    out = np.empty(len(listed), dtype=object)
    out[:] = listed
    return out
