"""Who may do what, and how secrets and signatures are kept safe."""
