"""What a source's spec is written in; the sources themselves are the files in dags/."""
