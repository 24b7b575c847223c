"""For all tests: a DDS domain of their own, on this machine only; no time bounds in properties."""

import os

from hypothesis import HealthCheck, settings

os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'

# how long an example takes is a matter of bench/, and of what else has the cores
settings.register_profile('charger', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('charger')
