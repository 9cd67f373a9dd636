"""A miniature of a host in the layout of its current source tree: our own code, same seams.

Its loop has a pool of processes of its own, swallows the errors of single files, writes their logs
beside the .sim, and shows how far it is. Only what the tests need is here.
"""
