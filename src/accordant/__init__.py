"""Accordant keeps CRM, billing, support and ERP in step, one business transaction at a time."""
