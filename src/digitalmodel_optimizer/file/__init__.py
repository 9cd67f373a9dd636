"""One file: its model, the seams around it, what is read ahead, what goes wrong."""
