"""What all experiments share. Nothing here knows one of them but by its name; they don't know one another."""
