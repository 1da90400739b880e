"""The shape of the code: imports, sizes, names, and a planted violation of every rule."""
