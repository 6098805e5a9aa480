"""What must hold before a date is called done."""
