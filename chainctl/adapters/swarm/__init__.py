"""DeployPlans in; services, tasks and networks of a Docker Swarm, and a door on its manager, out."""
