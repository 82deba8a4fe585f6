"""Every write of the node: accounts, jobs of users, and the runner's own steps."""
