"""Every setting of the pipeline: its default, bounds, unit and meaning.

One frozen model per stage, in the module that is named for what it decides. A stage receives only its own model, so a
changed temperature can never retrain anything. Unknown names are refused. Durations are in quarter notes.
"""

from pipeline_lib.config.base import (
    StageConfig,
)
from pipeline_lib.config.corpus import (
    DuplicateConfig,
    ParseConfig,
    SelectConfig,
    SplitConfig,
)
from pipeline_lib.config.experiment import (
    EvaluateConfig,
    PipelineConfig,
    PointConfig,
    ReportConfig,
)
from pipeline_lib.config.networks import (
    LstmAttentionConfig,
    LstmConfig,
    NetworkConfig,
    TransformerConfig,
)
from pipeline_lib.config.sampling import (
    NO_PROMPT,
    RANDOM_PROMPT,
    WINDOW_PROMPT,
    ComposeConfig,
    ComposerKind,
    ConstraintConfig,
    GenerateConfig,
    PromptConfig,
    SamplingConfig,
)
from pipeline_lib.config.tokens import (
    NoteEventConfig,
    TokenConfig,
    WindowConfig,
    token_config,
)
from pipeline_lib.config.training import (
    BaselineConfig,
    CheckpointConfig,
    RunConfig,
    TelemetryConfig,
    TrainConfig,
)

__all__ = [
    "NO_PROMPT",
    "RANDOM_PROMPT",
    "WINDOW_PROMPT",
    "BaselineConfig",
    "CheckpointConfig",
    "ComposeConfig",
    "ComposerKind",
    "ConstraintConfig",
    "DuplicateConfig",
    "EvaluateConfig",
    "GenerateConfig",
    "LstmAttentionConfig",
    "LstmConfig",
    "NetworkConfig",
    "NoteEventConfig",
    "ParseConfig",
    "PipelineConfig",
    "PointConfig",
    "PromptConfig",
    "ReportConfig",
    "RunConfig",
    "SamplingConfig",
    "SelectConfig",
    "SplitConfig",
    "StageConfig",
    "TelemetryConfig",
    "TokenConfig",
    "TrainConfig",
    "TransformerConfig",
    "WindowConfig",
    "token_config",
]
