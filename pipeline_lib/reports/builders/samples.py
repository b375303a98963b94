"""The section that lets samples be heard and read."""

from __future__ import annotations

from pipeline_lib.generation.samples import Sample
from pipeline_lib.reports import content
from pipeline_lib.stores.samples import RenderedSample


def build_sample(
    run: str, sample: Sample, rendered: RenderedSample, steps_per_quarter: int
) -> content.Sample:
    """A sample as the page shows it.

    Parameters
    ----------
    run : str
        Name of the run that wrote it.
    sample : Sample
    rendered : RenderedSample
        The same as files.
    steps_per_quarter : int
    """
    return content.Sample(
        run=run,
        name=sample.name,
        temperature=sample.temperature,
        prompt_notes=len(sample.prompt.continued((), steps_per_quarter)),
        notes=sample.notes(steps_per_quarter),
        **vars(rendered),
    )
