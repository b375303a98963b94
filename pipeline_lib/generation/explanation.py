"""Why it wrote that: what a model thought of every token of a sample, when it stood before it.

Probabilities are the model's own, before temperature, truncation and constraints: they say what the style that it
has learnt makes likely, not what was left to choose from. *Surprise* is -log2 of the token's probability;
*entropy* is the surprise to be expected; both in bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline_lib.generation.samples import Sample
from pipeline_lib.models.protocols import Predictor
from pipeline_lib.tokens.vocabulary import START, Vocabulary

N_ALTERNATIVES = 3

EXPLANATION_SCHEMA = pa.schema(
    [
        pa.field("temperature", pa.float64(), nullable=False),
        pa.field("sample", pa.int32(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("onset_step", pa.int64(), nullable=False),
        pa.field("duration_step", pa.int64(), nullable=False),
        pa.field("token", pa.string(), nullable=False),
        pa.field("probability", pa.float64(), nullable=False),
        pa.field("surprise_bit", pa.float64(), nullable=False),
        pa.field("entropy_bit", pa.float64(), nullable=False),
        pa.field(
            "alternatives",
            pa.list_(pa.struct([("token", pa.string()), ("probability", pa.float64())])),
            nullable=False,
        ),
    ],
    metadata={"schema": "explanations/2"},
)
"""One row per new token: its position counts from the first one of the prompt, its onset from the piece's
beginning; alternatives are the likeliest other tokens."""


def explain(
    model: Predictor,
    vocabulary: Vocabulary,
    samples: Sequence[Sample],
) -> pa.Table:
    """What a model thought of new tokens.

    Parameters
    ----------
    model : Predictor
        What wrote the samples.
    vocabulary : Vocabulary
    samples : sequence of Sample
        All with prompts of one length.

    Returns
    -------
    pyarrow.Table
        With `EXPLANATION_SCHEMA`.
    """
    n_given = len(samples[0].prompt.tokens)
    pieces = [
        vocabulary.encode([START, *sample.prompt.tokens, *sample.tokens]) for sample in samples
    ]
    predicted = model.log_probabilities(pieces, n_given + 1)
    rows: list[dict[str, Any]] = []
    for sample, piece, log_p in zip(samples, pieces, predicted, strict=True):
        durations = vocabulary.features.advance_step[piece[1:]]
        onsets = np.cumsum([0, *durations])
        rows += [
            {
                "temperature": sample.temperature,
                "sample": sample.number,
                "position": n,
                "onset_step": int(onsets[n]),
                "duration_step": int(durations[n]),
                **_thought_of(int(piece[n + 1]), of_token, vocabulary),
            }
            for n, of_token in enumerate(log_p, start=n_given)
        ]
    return pa.Table.from_pylist(rows, schema=EXPLANATION_SCHEMA)


def _thought_of(
    token_id: int, log_p: NDArray[np.float64], vocabulary: Vocabulary
) -> dict[str, Any]:
    p = np.exp(log_p)
    likeliest = np.argsort(-p, kind="stable")[: N_ALTERNATIVES + 1].tolist()
    others = [other for other in likeliest if other != token_id][:N_ALTERNATIVES]
    return {
        "token": vocabulary.tokens[token_id],
        "probability": float(p[token_id]),
        "surprise_bit": float(-log_p[token_id] / np.log(2)),
        "entropy_bit": float(-(p * log_p).sum() / np.log(2)),
        "alternatives": [
            {"token": vocabulary.tokens[other], "probability": float(p[other])} for other in others
        ],
    }
