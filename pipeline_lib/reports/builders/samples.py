"""The section that lets samples be heard and read."""

from __future__ import annotations

from pipeline_lib.generation.samples import Sample
from pipeline_lib.reports import content
from pipeline_lib.stores.samples import RenderedSample
from pipeline_lib.tokens.tokenisers.base import Tokeniser


def build_sample(
    run: str, sample: Sample, rendered: RenderedSample, tokeniser: Tokeniser
) -> content.Sample:
    """A sample as the page shows it.

    Parameters
    ----------
    run : str
        Name of the run that wrote it.
    sample : Sample
    rendered : RenderedSample
        The same as files.
    tokeniser : Tokeniser
    """
    return content.Sample(
        run=run,
        name=sample.name,
        temperature=sample.temperature,
        prompt_notes=len(sample.prompt.continued((), tokeniser)),
        notes=sample.notes(tokeniser),
        **vars(rendered),
    )
