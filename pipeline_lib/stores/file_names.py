"""Names of the files that artifacts consist of. Each stands here and nowhere else.

``artifacts/README.md`` lists which kind of artifact has which; tables of pieces have one name in all kinds.
"""

from __future__ import annotations

FILES = "files.parquet"
NOTES = "notes.parquet"
PIECES = "pieces.parquet"
TRACKS = "tracks.parquet"
CHANGES = "changes.parquet"
SELECTIONS = "selections.parquet"

VOCABULARY = "vocabulary.parquet"
TOKENS = "tokens.parquet"
TOKENISER = "tokeniser.json"
PROMPTS = "prompts.parquet"
WINDOWS = "windows.parquet"

NGRAMS = "ngrams.parquet"
ORDERS = "orders.json"
MEMORY = "memory.json"
BAR_HABITS = "bar_habits.parquet"
WEIGHTS = "weights.npz"
RUN = "run.json"
HISTORY = "history.parquet"
STEPS = "steps.parquet"

SCORE_SUMMARY = "summary.json"
RELIABILITY = "reliability.parquet"
LOSS_BY_PLACE = "loss_by_place.parquet"
NGRAM_MODELS = "models.json"

SAMPLES = "samples.parquet"
EXPLANATIONS = "explanations.parquet"
METRIC_SUMMARY = "summary.parquet"
LEAPS = "leaps.parquet"
DISTANCES = "distances.parquet"
DISCREPANCIES = "discrepancies.parquet"
NOVELTY = "novelty.parquet"
COPIED = "copied.parquet"
COPY_BASELINE = "baseline.json"

FINDINGS = "findings.parquet"
CURVES = "curves.parquet"
REPORT = "report.html"
RESULTS = "results.parquet"
SAMPLE_EXCERPT = "copy.musicxml"
SOURCE_EXCERPT = "copied.musicxml"
