"""Tables that are made of other tables' rows, date by date; nothing here asks an upstream."""
