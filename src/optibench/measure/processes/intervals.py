"""How often processes are sampled, the same on this machine and by the monitors of workers."""

INTERVAL_SECONDS = 0.2  # between two samples of CPU and RSS
PSS_AGE_SECONDS = 2.0  # PSS is read again when it is older, because reading it costs most
