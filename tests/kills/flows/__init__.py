"""Scenes of the flows that are more than a deal: a module for each flow, with its `SCENES`."""
