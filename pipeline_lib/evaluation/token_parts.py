"""Parts of tokens: the number of notes that each holds, and its pitch apart from its duration.

By the chain rule a token's surprise is that of its pitch plus that of its duration once the pitch is known:

    -log P(token) = -log P(pitch) - log P(duration | pitch),   P(pitch) = Σ P(t) over all tokens t of that pitch

The pitch of a token is its pitch group (`pipeline_lib.tokens.features`): of a chord all its pitches together, of a rest
that nothing sounds, whatever the rest's length. Special tokens, such as the end, are of a pitch of their own that has
one duration: their whole surprise is one of pitch. So is that of a token that holds pitches and no duration.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline_lib.tokens.features import TokenFeatures


@dataclass(frozen=True, eq=False)
class TokenParts:
    """The parts of all tokens of a vocabulary.

    Parameters
    ----------
    n_notes : int16 array, shape (vocab_size,)
        Number of notes of each token: every pitch of a chord is one; a rest or a special token has none.
    by_pitch : int64 array, shape (vocab_size,)
        All token ids, sorted so that those of one pitch are next to each other.
    first, n_durations : int64 arrays, shape (vocab_size,)
        For each token, the place in `by_pitch` at which the tokens of its pitch begin, and how many they are.
    """

    n_notes: NDArray[np.int16]
    by_pitch: NDArray[np.int64]
    first: NDArray[np.int64]
    n_durations: NDArray[np.int64]

    @classmethod
    def of(cls, tokens: TokenFeatures) -> TokenParts:
        """Find the parts of all tokens of a vocabulary, from their features."""
        pitch_of = tokens.pitch_group
        counts = np.bincount(pitch_of)
        return cls(
            n_notes=tokens.n_notes,
            by_pitch=np.argsort(pitch_of, kind="stable"),
            first=(np.cumsum(counts) - counts)[pitch_of],
            n_durations=counts[pitch_of],
        )

    def pitch_log_probabilities(
        self, log_p: NDArray[np.float64], token_ids: NDArray[np.int32]
    ) -> NDArray[np.float64]:
        """Log-probability of each token's pitch, summed over all durations.

        Parameters
        ----------
        log_p : float64 array, shape (n, vocab_size)
            Natural logarithms of the distributions.
        token_ids : int32 array, shape (n,)
            The token of each row.

        Returns
        -------
        float64 array, shape (n,)
            Natural logarithms, none below that of the token itself.

        Examples
        --------
        The fourth and the fifth token are C4, as a quarter and as a half note:

        >>> from pipeline_lib.config import NoteEventConfig
        >>> from pipeline_lib.tokens.tokenisers import make_tokeniser
        >>> from pipeline_lib.tokens.vocabulary import Vocabulary
        >>> tokens = ["<start>", "<end>", "<unknown>", "Pitch_60:1", "Pitch_60:2"]
        >>> parts = TokenParts.of(Vocabulary.of(tokens, make_tokeniser(NoteEventConfig())).features)
        >>> log_p = np.log([[0.125, 0.0625, 0.0625, 0.25, 0.5]])
        >>> np.exp(parts.pitch_log_probabilities(log_p, np.array([3], np.int32))).round(3)
        array([0.75])
        """
        sizes = self.n_durations[token_ids]
        begin = np.cumsum(sizes) - sizes
        rows = np.repeat(np.arange(len(token_ids)), sizes)
        nth = np.arange(sizes.sum()) - np.repeat(begin, sizes)
        of_pitch = self.by_pitch[np.repeat(self.first[token_ids], sizes) + nth]
        summed: NDArray[np.float64] = np.logaddexp.reduceat(log_p[rows, of_pitch], begin)
        return summed
