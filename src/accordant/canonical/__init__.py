"""The shared business vocabulary: customers, deals, contracts and the events about them."""
