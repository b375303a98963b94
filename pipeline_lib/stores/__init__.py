"""Artifacts by kind: one typed writer and one typed reader of each, and the names of their files.

A writer takes the `Draft` of its artifact and what is to be kept, a reader an `ArtifactStore` and a reference; nobody else
names a file of an artifact. What the tables hold is said where they are made.
"""
