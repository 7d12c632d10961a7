"""From a folder of sounds to a split that can be trusted."""
