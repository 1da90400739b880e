"""Salesforce sends no signed webhooks, so there is nothing to prove: deals are polled instead.

Outbound messages carry no signature, and the event stream (Pub/Sub API) is pulled by the subscriber.
Source: https://developer.salesforce.com/docs/platform/pub-sub-api/guide/intro.html, API version 67.0.
"""

verify = None
"""No delivery is ever accepted for this vendor."""
