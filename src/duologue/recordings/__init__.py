"""What people recorded from reading sheets: who they are, which file is which line, and whether it will do."""
