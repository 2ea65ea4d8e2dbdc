"""Tables and everything that reads or writes them. Functions take an open connection; `engine` opens it."""
