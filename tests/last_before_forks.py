"""What is done once for all forked scripts, when everything else that they need is imported.

Hydra looks for its plugins, and Python's garbage collector forgets what is there: it would otherwise visit every object
of every library in every script, half a second each.
"""

import gc

from hydra.core.plugins import Plugins

Plugins.instance()
gc.collect()
gc.freeze()
