"""What cannot be known from an answer, crossed with every way a vendor protects a write."""
