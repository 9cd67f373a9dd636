"""The one room that knows digitalmodel.

What is true of a released version or of the current source tree is one description in
:mod:`~digitalmodel_optimizer.engine.layouts`; the other modules walk it. The rest of the project
asks this package and never imports the host.
"""
