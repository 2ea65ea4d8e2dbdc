"""The portal's pages, a module each."""
