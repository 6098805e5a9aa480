"""What belongs to docker-compose.yaml: its secrets, how it is read, and whether it is right."""
