"""From artifacts to what the page says: one builder for each section of `reports.content.ReportContent`."""
