"""The branches of one flow, played on a small company and judged by what the systems hold: a module for each flow."""
