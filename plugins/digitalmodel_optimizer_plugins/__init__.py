"""The built-in plugins, a module each; they import the contract and nothing else of the project."""
