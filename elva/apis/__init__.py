"""What to call from outside: whole tasks in one function each, in a module of its own that loads what it needs."""
