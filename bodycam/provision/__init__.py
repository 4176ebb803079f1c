"""What a technician needs to make a camera ready: keys, certificates, cards."""
