"""Reading sheets: a file of scripts as pages that actors read from, and as tables that name each recording."""
