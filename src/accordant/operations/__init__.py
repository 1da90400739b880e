"""What operators do after the fact: reconcile, replay, repair and close exceptions."""
