"""The proving ground: disturb the platform in every way we can name, then judge what it left behind."""
